-- duet.erasure_get: the receipt of a deleted user.
--
-- outcome  ok | erasure_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  erasure_pkey
create or replace function duet.erasure_get(
    p_id text,
    out outcome text,
    out id text,
    out "user" text,
    out removed jsonb,
    out started_at timestamptz,
    out finished_at timestamptz
)
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
begin
    select 'ok', e.erasure_id::text, e.user_id, e.removed, e.started_at, e.finished_at
    into outcome, id, "user", removed, started_at, finished_at
    from erasure as e
    -- What is no number is nobody's.
    where e.erasure_id = case when p_id ~ '^[1-9][0-9]{0,17}$' then p_id::bigint else 0 end;

    if not found then
        outcome := 'erasure_unknown';
    end if;
end
$$;
