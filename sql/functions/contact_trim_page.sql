-- duet.contact_trim_page: hide conversations of a user beyond the p_kept newest, of the next 2000 contacts behind p_peer
-- (null: from the first). p_newest are the newest of those before, as the last call has told. For the job
-- contact_trim alone.
--
-- hidden  how many have been hidden
-- peer    behind whom to go on; null: that was all
-- newest  who is to be looked at again with the next ones
--
-- retry    safe: what is hidden stays hidden
-- locks    rows of contact; passes over those that somebody else has locked
-- indexes  contact_pkey, mailbox_peer
create or replace function duet.contact_trim_page(
    p_owner bigint,
    p_peer bigint,
    p_newest bigint[],
    p_kept bigint,
    p_now timestamptz,
    out hidden bigint,
    out peer bigint,
    out newest bigint[]
)
language plpgsql
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_page constant integer := 2000;
    v_peers constant bigint[] := array(
        select c.peer
        from contact as c
        where c.owner = p_owner and c.peer > coalesce(p_peer, 0)
        order by c.peer
        limit v_page
    );
begin
    with conversation as materialized (
        select c.peer, l.seq, row_number() over (order by l.seq desc) as rank
        from (
            select n.owner, n.peer, n.pinned, n.hidden_seq
            from unnest(p_newest) as p(peer)
            cross join lateral (
                select o.* from contact as o where o.owner = p_owner and o.peer = p.peer limit 1
            ) as n
            union all
            select o.owner, o.peer, o.pinned, o.hidden_seq
            from contact as o
            where o.owner = p_owner and o.peer >= v_peers[1] and o.peer <= v_peers[cardinality(v_peers)]
        ) as c
        cross join lateral (
            select m.seq
            from mailbox as m
            where m.owner = c.owner and m.peer <= c.peer and (m.peer, m.seq) > (c.peer, c.hidden_seq)
              and m.kind < 16
              and m.options & 36 = 4 and not m.deleted
              and m.sent_at >= message_horizon(p_now) and m.sent_at < p_now + interval '1 day'
              and (m.expires_at is null or m.expires_at > p_now)
            order by m.peer desc, m.seq desc -- as in conversation_unread
            limit 1
        ) as l
        where not c.pinned
    ),
    beyond as materialized (
        select l.place, v.seq
        from conversation as v
        cross join lateral (
            select c.ctid as place
            from contact as c
            where c.owner = p_owner and c.peer = v.peer
            limit 1
            for update skip locked
        ) as l
        where v.rank > p_kept
    ),
    trimmed as (
        update contact as c
        set hidden_seq = greatest(c.hidden_seq, b.seq)
        from beyond as b
        where c.ctid = b.place
        returning 1
    )
    select (select count(*) from trimmed as t), array(select v.peer from conversation as v where v.rank <= p_kept)
    into hidden, newest;

    peer := v_peers[v_page];
    if peer is null then
        newest := '{}';
    end if;
end
$$;
