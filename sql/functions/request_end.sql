-- duet.request_end: remember how a request was answered, at the end of the transaction that request_begin
-- began.
--
-- retry    safe under the lock of request_begin
-- locks    the key's row
-- indexes  request_key_pkey
create or replace function duet.request_end(
    p_caller text,
    p_key text,
    p_operation text,
    p_request_hash bytea,
    p_reply text,
    p_now timestamptz default now()
)
returns void
language sql security definer
set search_path = duet, pg_temp
as $$
    insert into request_key as k (caller, key, operation, request_hash, created_at, reply)
    values (p_caller, p_key, p_operation, p_request_hash, p_now, p_reply)
    on conflict (caller, key) do update
    set operation = excluded.operation,
        request_hash = excluded.request_hash,
        created_at = excluded.created_at,
        reply = excluded.reply
$$;
