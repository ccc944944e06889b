-- duet.conversation_patch: pin, mute or mark a conversation of p_user, or sort it into groups. What p_patch does not name
-- stays; null is false, or nothing. The user's devices learn of it.
--
-- outcome  ok | user_unknown (pointer: which of them) | group_unknown (pointer: which)
-- retry    safe: the same patch again changes nothing
-- locks    the user's mailbox
-- indexes  those of conversation_lock; contact_pkey, conversation_group_pkey; those of conversation_page
create or replace function duet.conversation_patch(
    p_user text,
    p_peer text,
    p_patch jsonb,
    p_now timestamptz default null
)
returns duet.conversation_reply
language plpgsql security definer set search_path = duet, pg_temp
as $$
declare
    v conversation_reply;
    v_owner bigint;
    v_peer bigint;
    v_now timestamptz;
    v_old contact;
    v_new contact;
    v_groups text[];
    v_missing bigint;
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into v.outcome, v.pointer, v_owner, v_peer
    from conversation_lock(p_user, p_peer) as l;
    if v.outcome <> 'ok' then
        return v;
    end if;
    v_now := coalesce(p_now, clock_timestamp());

    select * into v_old from contact as c where c.owner = v_owner and c.peer = v_peer;
    if not found then
        v_old.pinned := false;
        v_old.muted := false;
        v_old.conversation_groups := '{}';
        v_old.marks := '';
        v_old.custom_mark := '';
    end if;
    v_new := v_old;
    if p_patch ? 'pinned' then
        v_new.pinned := coalesce((p_patch ->> 'pinned')::boolean, false);
    end if;
    if p_patch ? 'muted' then
        v_new.muted := coalesce((p_patch ->> 'muted')::boolean, false);
    end if;
    if p_patch ? 'marks' then
        v_new.marks := rtrim(coalesce(p_patch ->> 'marks', ''), '0');
    end if;
    if p_patch ? 'custom_mark' then
        v_new.custom_mark := coalesce(p_patch ->> 'custom_mark', '');
    end if;
    if p_patch ? 'groups' then
        v_groups := array(
            select jsonb_array_elements_text(
                case jsonb_typeof(p_patch -> 'groups') when 'array' then p_patch -> 'groups' else '[]' end
            )
        );
        v_missing := (
            select min(p.n) - 1
            from unnest(v_groups) with ordinality as p(name, n)
            where not exists (select from conversation_group as g where g.owner = v_owner and g.name = p.name)
        );
        if v_missing is not null then
            v.outcome := 'group_unknown';
            v.pointer := '/groups/' || v_missing;
            return v;
        end if;
        v_new.conversation_groups := array(select distinct p.name from unnest(v_groups) as p(name) order by p.name);
    end if;

    if v_new is distinct from v_old then
        insert into contact as c (
            owner, peer, created_at, pinned, muted, conversation_groups, marks, custom_mark
        )
        values (
            v_owner, v_peer, v_now, v_new.pinned, v_new.muted, v_new.conversation_groups, v_new.marks,
            v_new.custom_mark
        )
        on conflict (owner, peer) do update
        set pinned = excluded.pinned,
            muted = excluded.muted,
            conversation_groups = excluded.conversation_groups,
            marks = excluded.marks,
            custom_mark = excluded.custom_mark;
        perform entry_add(
            array[v_owner], array[v_peer], 29, v_now,
            json_build_object(
                'pinned', v_new.pinned, 'muted', v_new.muted, 'groups', to_json(v_new.conversation_groups),
                'marks', v_new.marks, 'custom_mark', v_new.custom_mark
            )::text
        );
    end if;

    return conversation_get(p_user, p_peer, v_now);
end
$$;
