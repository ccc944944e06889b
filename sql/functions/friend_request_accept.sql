-- duet.friend_request_accept: p_user agrees to what p_peer has asked: they are friends, both ways.
--
-- outcome  ok (also where they are friends already) | user_unknown | friend_request_unknown | friends_full
-- retry    safe
-- locks    both mailboxes; limits are counted under them
-- indexes  those of relation_lock, friend_link and friend_get; friend_request_pkey
create or replace function duet.friend_request_accept(
    p_user text,
    p_peer text,
    p_now timestamptz default null
)
returns duet.friend_reply
language plpgsql security definer set search_path = duet, pg_temp
as $$
declare
    v friend_reply;
    v_owner bigint;
    v_peer bigint;
    v_now timestamptz;
    v_remark text;
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into v.outcome, v.pointer, v_owner, v_peer
    from relation_lock(p_user, p_peer) as l;
    if v.outcome <> 'ok' then
        return v;
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
        select l.outcome, l.pointer into v.outcome, v.pointer
        from friend_link(v_owner, v_peer, true, null, null, null, v_remark, null, v_now) as l;
        if v.outcome <> 'ok' then
            return v;
        end if;
    elsif not exists (select from friend as f where f.owner = v_owner and f.peer_no = v_peer and f.mutual) then
        v.outcome := 'friend_request_unknown';
        return v;
    end if;

    return friend_get(p_user, p_peer);
end
$$;
