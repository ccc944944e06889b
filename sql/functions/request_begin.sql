-- duet.request_begin: has a request with this idempotency key been answered before? To be called at the
-- beginning of the transaction that does what the request asks for.
--
-- outcome  ok | idempotency_key_reused (it was another request) | idempotency_key_in_use (one with this key is
--          being worked on at this moment)
-- reply    how the request was answered within the last 24 hours; null: it is to be done
-- retry    safe: reads only
-- locks    an advisory lock of the key until the end of the transaction, for which it does not wait
-- indexes  request_key_pkey
create or replace function duet.request_begin(
    p_caller text,
    p_key text,
    p_operation text,
    p_request_hash bytea,
    p_now timestamptz default now(),
    out outcome text,
    out reply text
)
language plpgsql security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_known request_key;
begin
    if not pg_try_advisory_xact_lock(hashtextextended(p_caller || E'\x1f' || p_key, 1146439764)) then
        outcome := 'idempotency_key_in_use';
        return;
    end if;

    select k.* into v_known
    from request_key as k
    where k.caller = p_caller and k.key = p_key and k.created_at > p_now - interval '24 hours';

    if found and (v_known.operation, v_known.request_hash) <> (p_operation, p_request_hash) then
        outcome := 'idempotency_key_reused';
        return;
    end if;
    outcome := 'ok';
    reply := v_known.reply;
end
$$;
