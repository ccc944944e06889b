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
    p_now timestamptz default null,
    out outcome text,
    out pointer text,
    out peer text,
    out peer_profile_nick text,
    out peer_profile_avatar_url text,
    out remark text,
    out groups text[],
    out custom jsonb,
    out friend_since timestamptz,
    out mutual boolean
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_peer bigint;
    v_groups text[];
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into outcome, pointer, v_owner, v_peer
    from relation_lock(p_user, p_peer) as l;
    if outcome <> 'ok' then
        return;
    end if;
    if not exists (select from contact as c where c.owner = v_owner and c.peer = v_peer and c.friend) then
        outcome := 'friend_unknown';
        return;
    end if;

    if p_patch ? 'groups' then
        v_groups := array(select jsonb_array_elements_text(coalesce(nullif(p_patch -> 'groups', 'null'), '[]')));
    end if;
    select l.outcome, l.pointer into outcome, pointer
    from friend_link(
        v_owner, v_peer, false,
        case when p_patch ? 'remark' then coalesce(p_patch ->> 'remark', '') end,
        v_groups,
        case when p_patch ? 'custom' then coalesce(nullif(p_patch -> 'custom', 'null'), '{}') end,
        null, null, coalesce(p_now, clock_timestamp())
    ) as l;
    if outcome <> 'ok' then
        return;
    end if;

    select
        g.outcome, g.peer, g.peer_profile_nick, g.peer_profile_avatar_url, g.remark, g.groups, g.custom,
        g.friend_since, g.mutual
    into
        outcome, peer, peer_profile_nick, peer_profile_avatar_url, remark, groups, custom,
        friend_since, mutual
    from friend_get(p_user, p_peer) as g;
end
$$;
