-- duet.conversation_unread: how many messages from p_peer p_owner has not read: 1000 stands for so many or more. Looked
-- for among the newest 5000 entries between the two. For reads alone, into whose statements it is taken up.
--
-- Not counted are messages that were sent without count_unread, imported, recalled, removed or have expired.
--
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_peer
create or replace function duet.conversation_unread(
    p_owner bigint,
    p_peer bigint,
    p_read_seq bigint,
    p_horizon timestamptz,
    p_now timestamptz
)
returns table (unread bigint)
language sql stable
as $$
    select count(*)
    from (
        select
        from (
            select m.outgoing, m.kind, m.options, m.recalled, m.deleted, m.expires_at
            from duet.mailbox as m
            where m.owner = p_owner and m.peer = p_peer and m.seq > p_read_seq
              and m.sent_at >= p_horizon and m.sent_at < p_now + interval '1 day'
            order by m.seq desc
            limit 5000
        ) as n
        where not n.outgoing and n.kind < 16 and n.options & 34 = 2 and not n.recalled and not n.deleted
          and (n.expires_at is null or n.expires_at > p_now)
        limit 1000
    ) as c
$$;
