-- duet.friend_part: each of p_owner has the user at the same place of p_peer as a friend no more. What an owner has
-- said of its friend goes with it; blocks and messages stay. Entries friend_removed go to those who had one.
--
-- retry    safe: who is no friend is passed over
-- locks    none; the mailboxes of all of p_owner are locked already
-- indexes  contact_pkey; those of entry_add
create or replace function duet.friend_part(p_owner bigint[], p_peer bigint[], p_now timestamptz)
returns void
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v record;
begin
    -- An owner that loses several has an entry for each, and each of its mailbox at its own turn.
    for v in
        with parted as (
            update contact as c
            set friend = false, friend_since = null, remark = '', groups = '{}', custom = '{}'
            from unnest(p_owner, p_peer) as p(owner, peer)
            where c.owner = p.owner and c.peer = p.peer and c.friend
            returning c.owner, c.peer
        ),
        turn as (
            select p.owner, p.peer, row_number() over (partition by p.owner order by p.peer) as n
            from parted as p
        )
        select array_agg(t.owner) as owners, array_agg(t.peer) as peers from turn as t group by t.n order by t.n
    loop
        perform entry_add(v.owners, v.peers, 23, p_now);
    end loop;
end
$$;
