-- duet.message_replay: which items were stored by an earlier transaction. For message_send_batch alone.
--
-- To be called when the mailboxes are locked, so that no first message can be about to be committed. An
-- item that is found by its key is not looked for by its client_id.
--
-- outcome  ok | idempotency_key_reused (the key was used for another request)
-- retry    safe: reads only
-- locks    none
-- indexes  idempotency_key_pkey, mailbox_retry
create or replace function duet.message_replay(
    p_sender bigint[],
    p_receiver bigint[],
    p_client_id text[],
    p_caller text[],
    p_idempotency_key text[],
    p_request_hash bytea[],
    p_now timestamptz
)
returns table (
    item integer,
    outcome text,
    by_key boolean,
    receiver_seq bigint,
    sender_seq bigint,
    sent_at timestamptz,
    nonce bigint
)
language plpgsql
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_client_id text[] := p_client_id;
begin
    if cardinality(array_remove(p_idempotency_key, null)) > 0 then
        for item, outcome, by_key, receiver_seq, sender_seq, sent_at, nonce in
            select
                i.item,
                case
                    when (k.request_hash, k.sender, k.receiver)
                         = (i.request_hash, i.sender, i.receiver) then 'ok'
                    else 'idempotency_key_reused'
                end,
                true, k.receiver_seq, k.sender_seq, k.sent_at, k.nonce
            from unnest(p_sender, p_receiver, p_caller, p_idempotency_key, p_request_hash)
                with ordinality as i(sender, receiver, caller, key, request_hash, item)
            join idempotency_key as k on k.caller = i.caller and k.key = i.key
            where k.created_at > p_now - interval '24 hours'
        loop
            v_client_id[item] := null;
            return next;
        end loop;
    end if;

    if cardinality(array_remove(v_client_id, null)) > 0 then
        return query
        with kept as materialized (
            select m.owner, m.peer, m.client_id, m.seq, m.peer_seq, m.sent_at, m.nonce
            from mailbox as m
            where retry_mark(m.owner, m.client_id) = any (
                    array(
                        select retry_mark(i.receiver, i.client_id)
                        from unnest(p_receiver, v_client_id) as i(receiver, client_id)
                        where i.client_id is not null
                    )
                )
              and m.client_id is not null
              and not m.outgoing
              and m.sent_at < p_now + interval '1 day'
        )
        select i.item::integer, 'ok', false, k.seq, k.peer_seq, k.sent_at, k.nonce
        from kept as k
        join unnest(p_sender, p_receiver, v_client_id) with ordinality
            as i(sender, receiver, client_id, item)
            on i.receiver = k.owner and i.sender = k.peer and i.client_id = k.client_id;
    end if;
end
$$;
