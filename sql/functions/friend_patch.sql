-- duet.friend_patch: change what p_user says of a friend: remark, groups, custom. What p_patch does not name
-- stays; what is null there goes back to its default; groups and custom are replaced as a whole.
--
-- outcome  ok | user_unknown | friend_unknown | group_unknown (pointer: which)
-- retry    safe: the same patch again changes nothing
-- locks    both mailboxes
-- indexes  those of relation_lock, friend_link and friend_get
create or replace function duet.friend_patch(
    p_user text,
    p_peer text,
    p_patch jsonb,
    p_now timestamptz default null
)
returns duet.friend_reply
language plpgsql security definer set search_path = duet, pg_temp
as $$
declare
    v friend_reply;
    v_owner bigint;
    v_peer bigint;
    v_groups text[];
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into v.outcome, v.pointer, v_owner, v_peer
    from relation_lock(p_user, p_peer) as l;
    if v.outcome <> 'ok' then
        return v;
    end if;
    if not exists (select from contact as c where c.owner = v_owner and c.peer = v_peer and c.friend) then
        v.outcome := 'friend_unknown';
        return v;
    end if;

    if p_patch ? 'groups' then
        v_groups := array(select jsonb_array_elements_text(coalesce(nullif(p_patch -> 'groups', 'null'), '[]')));
    end if;
    select l.outcome, l.pointer into v.outcome, v.pointer
    from friend_link(
        v_owner, v_peer, false,
        case when p_patch ? 'remark' then coalesce(p_patch ->> 'remark', '') end,
        v_groups,
        case when p_patch ? 'custom' then coalesce(nullif(p_patch -> 'custom', 'null'), '{}') end,
        null, null, coalesce(p_now, clock_timestamp())
    ) as l;
    if v.outcome <> 'ok' then
        return v;
    end if;

    return friend_get(p_user, p_peer);
end
$$;
