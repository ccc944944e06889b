-- duet.conversation_unread: how many messages from p_peer p_owner has not read: 1000 stands for so many or more. Looked
-- for among the newest 5000 entries between the two. For reads alone, into whose statements it is taken up.
--
-- p_since is a time before which none can be: at least message_horizon. Days before it are not looked at. p_before is
-- a seq from which on the caller has counted already; null counts all.
--
-- Not counted are messages that were sent without count_unread, imported, recalled, removed or have expired.
--
-- The peer is asked for by an order that mailbox_peer alone has: by equality, the primary key would do as well in the
-- eyes of a plan that was made for users with few entries, and for a busy one read all.
--
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_peer, notification_pkey
create or replace function duet.conversation_unread(
    p_owner bigint,
    p_peer bigint,
    p_read_seq bigint,
    p_since timestamptz,
    p_now timestamptz,
    p_before bigint default null
)
returns table (unread bigint)
language sql stable
as $$
    select count(*)
    from (
        select
        from (
            select
                m.outgoing, m.kind, m.options, m.recalled, m.deleted, m.expires_at,
                case when m.kind in (2, 3) then m.target_seq end as notification_no
            from duet.mailbox as m
            where (p_before is null or p_read_seq < p_before - 1)
              and m.owner = p_owner and m.peer <= p_peer and (m.peer, m.seq) > (p_peer, p_read_seq)
              and (p_before is null or m.seq < p_before)
              and m.sent_at >= p_since and m.sent_at < p_now + interval '1 day'
            order by m.peer desc, m.seq desc
            limit 5000
        ) as n
        where not n.outgoing and n.kind < 16 and n.options & 34 = 2 and not n.recalled and not n.deleted
          and (n.expires_at is null or n.expires_at > p_now)
          and (
              n.notification_no is null
              or (select o.state <> 'recalled' from duet.notification as o where o.notification_no = n.notification_no)
          )
        limit 1000
    ) as c
$$;
