-- duet.job_list: all jobs, by name, with their last run. Each row also says since when messages are visible.
--
-- outcome  ok
-- retry    safe: reads only
-- locks    none
-- indexes  job_run_of_job
create or replace function duet.job_list(p_now timestamptz default now())
returns table (
    outcome text,
    name text,
    description text,
    schedule text,
    next_run_at timestamptz,
    late boolean,
    last_run_started_at timestamptz,
    last_run_finished_at timestamptz,
    last_run_took_ms bigint,
    last_run_done_by text,
    last_run_rows bigint,
    last_run_bytes bigint,
    last_run_error text,
    visible_since timestamptz
)
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        'ok', s.name, s.description, s.schedule, s.next_run_at, s.late,
        s.started_at, s.finished_at, (extract(epoch from s.took) * 1000)::bigint, s.done_by, s.rows, s.bytes, s.error,
        greatest(
            message_horizon(p_now),
            (select min(p.since) from partition_of('duet.mailbox') as p)
        )
    from job_state(p_now) as s
    order by s.name;
end
$$;
