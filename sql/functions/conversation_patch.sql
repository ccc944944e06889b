-- duet.conversation_patch: pin or mute a conversation of p_user. What p_patch does not name stays; null is false.
-- The user's devices learn of it.
--
-- outcome  ok | user_unknown (pointer: which of them)
-- retry    safe: the same patch again changes nothing
-- locks    the user's mailbox
-- indexes  those of conversation_lock; contact_pkey; those of conversation_page
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
    v_old record;
    v_pinned boolean;
    v_muted boolean;
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into v.outcome, v.pointer, v_owner, v_peer
    from conversation_lock(p_user, p_peer) as l;
    if v.outcome <> 'ok' then
        return v;
    end if;
    v_now := coalesce(p_now, clock_timestamp());

    select c.pinned, c.muted into v_old from contact as c where c.owner = v_owner and c.peer = v_peer;
    v_pinned := case when p_patch ? 'pinned' then coalesce((p_patch ->> 'pinned')::boolean, false)
        else coalesce(v_old.pinned, false) end;
    v_muted := case when p_patch ? 'muted' then coalesce((p_patch ->> 'muted')::boolean, false)
        else coalesce(v_old.muted, false) end;
    if (v_pinned, v_muted) <> (coalesce(v_old.pinned, false), coalesce(v_old.muted, false)) then
        insert into contact as c (owner, peer, created_at, pinned, muted)
        values (v_owner, v_peer, v_now, v_pinned, v_muted)
        on conflict (owner, peer) do update set pinned = excluded.pinned, muted = excluded.muted;
        perform entry_add(
            array[v_owner], array[v_peer], 29, v_now,
            json_build_object('pinned', v_pinned, 'muted', v_muted)::text
        );
    end if;

    return conversation_get(p_user, p_peer, v_now);
end
$$;
