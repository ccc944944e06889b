-- duet.friend_request_end: a friend request is answered or taken back. Whether one was pending. Both devices'
-- users learn of it by an entry friend_request_closed; of one that had expired, nobody does.
--
-- p_state  accepted | rejected | cancelled
-- retry    safe
-- locks    none; both mailboxes are locked already
-- indexes  friend_request_pkey
create or replace function duet.friend_request_end(
    p_asking bigint,
    p_asked bigint,
    p_state text,
    p_now timestamptz
)
returns boolean
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v_pending boolean;
begin
    with gone as (
        delete from friend_request as r
        where (r.owner = p_asking and r.outgoing and r.peer = p_asked)
           or (r.owner = p_asked and not r.outgoing and r.peer = p_asking)
        returning r.expires_at
    )
    select coalesce(bool_or(g.expires_at > p_now), false) into v_pending from gone as g;

    if v_pending then
        perform entry_add(
            array[p_asking], array[p_asked], 25, p_now,
            jsonb_build_object('state', p_state, 'direction', 'outgoing')::text);
        perform entry_add(
            array[p_asked], array[p_asking], 25, p_now,
            jsonb_build_object('state', p_state, 'direction', 'incoming')::text);
    end if;
    return v_pending;
end
$$;
