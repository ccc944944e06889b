-- duet.message_replay: which items were stored by an earlier transaction. For message_send_batch alone,
-- into whose statement it is taken up.
--
-- To be called when the mailboxes are locked, so that no first message can be about to be committed.
-- p_retry_mark has the retry_mark of items that may have been stored under their client_id, else null.
--
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_retry
create or replace function duet.message_replay(
    p_sender bigint[],
    p_receiver bigint[],
    p_client_id text[],
    p_retry_mark bigint[],
    p_now timestamptz
)
returns table (
    item integer,
    receiver_seq bigint,
    sender_seq bigint,
    sent_at timestamptz,
    nonce bigint
)
language sql stable
as $$
    with kept as materialized (
        select m.owner, m.peer, m.client_id, m.seq, m.peer_seq, m.sent_at, m.nonce
        from duet.mailbox as m
        where duet.retry_mark(m.owner, m.client_id) = any (p_retry_mark)
          and m.client_id is not null
          and not m.outgoing
          -- The most that roaming_days may be; and a clock may be put back by a day, as for whoever reads.
          and m.sent_at >= p_now - interval '7 days'
          and m.sent_at < p_now + interval '1 day'
    )
    select i.item::integer, k.seq, k.peer_seq, k.sent_at, k.nonce
    from kept as k
    join unnest(p_sender, p_receiver, p_client_id, p_retry_mark) with ordinality
        as i(sender, receiver, client_id, mark, item)
        on i.receiver = k.owner and i.sender = k.peer and i.client_id = k.client_id
    where i.mark is not null
$$;
