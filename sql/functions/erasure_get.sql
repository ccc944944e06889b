-- duet.erasure_get: the receipt of a deleted user.
--
-- outcome  ok | erasure_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  erasure_pkey
create or replace function duet.erasure_get(
    p_id text
)
returns duet.erasure_reply
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
declare
    v erasure_reply;
begin
    select 'ok', e.erasure_id::text, e.user_id, e.removed, e.started_at, e.finished_at
    into v
    from erasure as e
    -- What is no number is nobody's.
    where e.erasure_id = case when p_id ~ '^[1-9][0-9]{0,17}$' then p_id::bigint else 0 end;

    if not found then
        v.outcome := 'erasure_unknown';
    end if;
    return v;
end
$$;
