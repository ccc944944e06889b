-- duet.partition_days_ahead: how many days after today have their partition of mailbox, up to the first
-- that has none; -1 when today's is missing, too.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.partition_days_ahead(p_now timestamptz default now())
returns bigint
language sql stable
set search_path = duet, pg_temp
set timezone = 'UTC'
as $$
    select coalesce(
        min(d) filter (
            where to_regclass(to_char(p_now + d * interval '1 day', '"duet.mailbox_p"YYYY_MM_DD')) is null
        ),
        31
    ) - 1
    from generate_series(0, 30) as d
$$;
