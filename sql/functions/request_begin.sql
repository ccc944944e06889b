-- duet.request_begin: has a request with this idempotency key been answered before? To be called at the
-- beginning of the transaction that does what the request asks for.
--
-- p_user, p_issued_at and p_device are those of caller_is_good: a token that is void is told nothing. A key that a
-- send has used is known here too, but a send that is under way at this very moment is not seen.
--
-- outcome  ok | unauthenticated | idempotency_key_reused (it was another request) | idempotency_key_in_use (one with
--          this key is being worked on at this moment)
-- reply    how the request was answered within the last 24 hours; null: it is to be done
-- retry    safe: reads only
-- locks    an advisory lock of the key until the end of the transaction, for which it does not wait
-- indexes  request_key_pkey, idempotency_key_pkey, those of caller_is_good
create or replace function duet.request_begin(
    p_caller text,
    p_key text,
    p_operation text,
    p_request_hash bytea,
    p_now timestamptz default now(),
    p_user text default null,
    p_issued_at timestamptz default null,
    p_device text default null,
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
    if not caller_is_good(p_user, p_issued_at, p_device) then
        outcome := 'unauthenticated';
        return;
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended(p_caller || E'\x1f' || p_key, 1146439764)) then
        outcome := 'idempotency_key_in_use';
        return;
    end if;

    select k.* into v_known
    from request_key as k
    where k.caller = p_caller and k.key = p_key and k.created_at > p_now - interval '24 hours';

    if found and (v_known.operation, v_known.request_hash) <> (p_operation, p_request_hash)
        or exists (
            select from idempotency_key as k
            where k.caller = p_caller and k.key = p_key and k.created_at > p_now - interval '24 hours'
        )
    then
        outcome := 'idempotency_key_reused';
        return;
    end if;
    outcome := 'ok';
    reply := v_known.reply;
end
$$;
