-- duet.friend_request_accept: p_user agrees to what p_peer has asked: they are friends, both ways.
--
-- outcome  ok (also where they are friends already) | user_unknown | friend_request_unknown | friends_full
-- retry    safe
-- locks    both mailboxes; limits are counted under them
-- indexes  those of relation_lock, friend_link and friend_get; friend_request_pkey
create or replace function duet.friend_request_accept(
    p_user text,
    p_peer text,
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
    v_now timestamptz;
    v_remark text;
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into outcome, pointer, v_owner, v_peer
    from relation_lock(p_user, p_peer) as l;
    if outcome <> 'ok' then
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());

    if exists (
        select from friend_request as r
        where r.owner = v_owner and not r.outgoing and r.peer = v_peer and r.expires_at > v_now
    ) then
        -- What the asking user calls the other stands on the asking user's own row.
        select r.remark into v_remark
        from friend_request as r
        where r.owner = v_peer and r.outgoing and r.peer = v_owner;
        select l.outcome, l.pointer into outcome, pointer
        from friend_link(v_owner, v_peer, true, null, null, null, v_remark, null, v_now) as l;
        if outcome <> 'ok' then
            return;
        end if;
    elsif not exists (select from friend as f where f.owner = v_owner and f.peer_no = v_peer and f.mutual) then
        outcome := 'friend_request_unknown';
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
