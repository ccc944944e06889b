-- duet.friend_delete: p_peer is no friend of p_user any more and, unless p_one_way, not the other way round
-- either. What a side has said of its friend goes with it; blocks and messages stay.
--
-- outcome  ok (also where they were no friends) | user_unknown
-- retry    safe
-- locks    both mailboxes
-- indexes  those of relation_lock and friend_part
create or replace function duet.friend_delete(
    p_user text,
    p_peer text,
    p_one_way boolean,
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
    if outcome <> 'ok' then
        return;
    end if;

    if p_one_way then
        perform friend_part(array[v_owner], array[v_peer], coalesce(p_now, clock_timestamp()));
    else
        perform friend_part(
            array[v_owner, v_peer], array[v_peer, v_owner], coalesce(p_now, clock_timestamp()));
    end if;
end
$$;
