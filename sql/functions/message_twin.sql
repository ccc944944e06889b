-- duet.message_twin: which items of one batch repeat an earlier item of it. For message_send_batch
-- alone, into whose statement it is taken up.
--
-- outcome  ok (the same message again) | idempotency_key_reused (another request with the same key)
-- retry    safe: reads nothing but its arguments
-- locks    none
create or replace function duet.message_twin(
    p_sender bigint[],
    p_receiver bigint[],
    p_client_id text[],
    p_caller text[],
    p_idempotency_key text[],
    p_request_hash bytea[]
)
returns table (item integer, outcome text, twin integer)
language sql immutable
as $$
    with by_key as (
        select
            i.*,
            case when i.key is not null then first_value(i.item) over same_key end as key_twin,
            case when i.key is not null then first_value(i.request_hash) over same_key end as key_hash
        from unnest(p_sender, p_receiver, p_client_id, p_caller, p_idempotency_key, p_request_hash)
            with ordinality as i(sender, receiver, client_id, caller, key, request_hash, item)
        window same_key as (partition by i.caller collate "C", i.key collate "C" order by i.item)
    ),
    by_client_id as (
        select
            k.item,
            k.key_twin,
            case when k.client_id is not null then first_value(k.item) over same_client_id end
                as client_id_twin
        from by_key as k
        where k.key_hash is not distinct from k.request_hash or k.key is null
        window same_client_id as (
            partition by k.sender, k.receiver, k.client_id collate "C" order by k.item
        )
    )
    select k.item::integer, 'idempotency_key_reused', null::integer
    from by_key as k
    where k.key is not null and k.key_hash is distinct from k.request_hash
    union all
    select c.item::integer, 'ok', least(c.key_twin, c.client_id_twin)::integer
    from by_client_id as c
    where least(c.key_twin, c.client_id_twin) < c.item
$$;
