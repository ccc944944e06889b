-- duet.friend_request_reject: p_user refuses what p_peer has asked.
--
-- outcome  ok | user_unknown | friend_request_unknown
-- retry    safe: the second one finds no request
-- locks    both mailboxes
-- indexes  those of relation_lock and friend_request_end
create or replace function duet.friend_request_reject(
    p_user text,
    p_peer text,
    p_now timestamptz default null,
    out outcome text,
    out pointer text
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_peer bigint;
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into outcome, pointer, v_owner, v_peer
    from relation_lock(p_user, p_peer) as l;
    if outcome = 'ok'
       and not friend_request_end(v_peer, v_owner, 'rejected', coalesce(p_now, clock_timestamp())) then
        outcome := 'friend_request_unknown';
    end if;
end
$$;
