-- duet.friend_delete: p_peer is no friend of p_user any more and, unless p_one_way, not the other way round
-- either. What a side has said of its friend goes with it; blocks and messages stay.
--
-- outcome  ok (also where they were no friends) | user_unknown
-- retry    safe
-- locks    both mailboxes
-- indexes  those of relation_lock, contact_pkey
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
    v_parted bigint[];
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into outcome, pointer, v_owner, v_peer
    from relation_lock(p_user, p_peer) as l;
    if outcome <> 'ok' then
        return;
    end if;

    with parted as (
        update contact as c
        set friend = false, friend_since = null, remark = '', groups = '{}', custom = '{}'
        where c.friend
          and ((c.owner = v_owner and c.peer = v_peer)
               or (not p_one_way and c.owner = v_peer and c.peer = v_owner))
        returning c.owner
    )
    select array_agg(p.owner) into v_parted from parted as p;

    perform entry_add(
        v_parted,
        array(select case o when v_owner then v_peer else v_owner end from unnest(v_parted) as o),
        23, coalesce(p_now, clock_timestamp()));
end
$$;
