-- duet.friend_request_delete: p_user takes back what was asked of p_peer.
--
-- outcome  ok (also where no request is pending) | user_unknown
-- retry    safe
-- locks    both mailboxes
-- indexes  those of relation_lock and friend_request_end
create or replace function duet.friend_request_delete(
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
    if outcome = 'ok' then
        perform friend_request_end(v_owner, v_peer, 'cancelled', coalesce(p_now, clock_timestamp()));
    end if;
end
$$;
