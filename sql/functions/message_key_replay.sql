-- duet.message_key_replay: which items' idempotency keys were used by an earlier transaction of the last
-- 24 hours, and for which messages; those that another request than a send has used are in request_key. For message_send_batch alone, into whose statement it is taken up.
--
-- The same request for other users' numbers is none of them: a user was deleted since, and perhaps made again.
--
-- outcome  ok | idempotency_key_reused (it was another request)
-- retry    safe: reads only
-- locks    none
-- indexes  idempotency_key_pkey, request_key_pkey
create or replace function duet.message_key_replay(
    p_sender bigint[],
    p_receiver bigint[],
    p_caller text[],
    p_idempotency_key text[],
    p_request_hash bytea[],
    p_now timestamptz
)
returns table (
    item integer,
    outcome text,
    receiver_seq bigint,
    sender_seq bigint,
    sent_at timestamptz,
    nonce bigint
)
language sql stable
as $$
    select
        i.item::integer,
        case
            when k.request_hash = i.request_hash then 'ok'
            else 'idempotency_key_reused'
        end,
        k.receiver_seq, k.sender_seq, k.sent_at, k.nonce
    from unnest(p_sender, p_receiver, p_caller, p_idempotency_key, p_request_hash) with ordinality
        as i(sender, receiver, caller, key, request_hash, item)
    join duet.idempotency_key as k on k.caller = i.caller and k.key = i.key
    where k.created_at > p_now - interval '24 hours'
      and (k.request_hash <> i.request_hash or (k.sender, k.receiver) = (i.sender, i.receiver))
    union all
    select i.item::integer, 'idempotency_key_reused', null, null, null, null
    from unnest(p_caller, p_idempotency_key) with ordinality as i(caller, key, item)
    join duet.request_key as k on k.caller = i.caller and k.key = i.key
    where k.created_at > p_now - interval '24 hours'
$$;
