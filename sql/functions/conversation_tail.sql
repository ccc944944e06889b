-- duet.conversation_tail: what the newest 500 entries of a mailbox tell of its conversations: one row for each peer
-- who has a message among them, in no order.
--
-- seq and sent_at are those of the last message, as conversation_page means it; null where the tail has none. `unread`
-- counts as conversation_unread does. from_seq is where the tail begins, the same in all rows: 0 when it holds all
-- that can still be read.
--
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_pkey, contact_pkey, notification_pkey
create or replace function duet.conversation_tail(
    p_owner bigint,
    p_horizon timestamptz,
    p_now timestamptz
)
returns table (peer bigint, seq bigint, sent_at timestamptz, unread bigint, pinned boolean, from_seq bigint)
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
#variable_conflict use_column
begin
    return query
    with tail as materialized (
        select
            m.seq, m.sent_at, m.peer, m.kind < 16 as is_message,
            m.kind < 16 and not m.deleted and m.options & 36 = 4
                and (m.expires_at is null or m.expires_at > p_now) as is_shown,
            m.kind < 16 and not m.deleted and m.options & 34 = 2
                and (m.expires_at is null or m.expires_at > p_now)
                and not m.outgoing and not m.recalled as is_counted,
            case when m.kind in (2, 3) then m.target_seq end as notification_no
        from mailbox as m
        where m.owner = p_owner and m.sent_at >= p_horizon and m.sent_at < p_now + interval '1 day'
        order by m.seq desc
        limit 500
    ),
    -- Arrays, newest first: what of them counts is known when the peer's contact has been looked up, once.
    spoken as materialized (
        select
            t.peer,
            max(t.seq) filter (where t.is_shown) as seq,
            (array_agg(t.sent_at order by t.seq desc) filter (where t.is_shown))[1] as sent_at,
            array_agg(t.seq) filter (
                where t.is_counted and (
                    t.notification_no is null or (
                        select n.state <> 'recalled' from notification as n
                        where n.notification_no = t.notification_no
                    )
                )
            ) as counted
        from tail as t
        where t.is_message
        group by t.peer
    )
    select
        s.peer,
        case when s.seq > coalesce(c.hidden_seq, 0) then s.seq end,
        case when s.seq > coalesce(c.hidden_seq, 0) then s.sent_at end,
        (select count(*) from unnest(s.counted) as u(seq) where u.seq > coalesce(c.read_seq, 0)),
        coalesce(c.pinned, false),
        case when f.n = 500 then f.seq else 0 end
    from spoken as s
    cross join (select min(t.seq) as seq, count(*) as n from tail as t) as f
    left join contact as c on c.owner = p_owner and c.peer = s.peer;
end
$$;
