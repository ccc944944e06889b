-- duet.job_watch: what a server looks at every half a minute: the jobs that are overdue for three minutes, a row for
-- each. pg_cron would have made up for them by then, so it seems not to be there. With each row, or with one of
-- no job, what the server's metrics show.
--
-- retry    safe: reads only
-- locks    none
-- indexes  job_run_of_job
create or replace function duet.job_watch(p_now timestamptz default now())
returns table (due text, late bigint, default_rows bigint, days_ahead bigint)
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with state as materialized (
        select * from job_state(p_now)
    )
    select
        d.name, (select count(*) from state as s where s.late), partition_default_rows(),
        partition_days_ahead(p_now)
    from (values (true)) as one(row)
    left join lateral (
        select s.name, s.next_run_at from state as s where s.next_run_at < p_now - interval '3 minutes'
    ) as d on true
    order by d.next_run_at, d.name;
end
$$;
