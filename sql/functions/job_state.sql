-- duet.job_state: all jobs, with their last run, when they were to run next, and whether they are late.
--
-- A job that has never run is due since it was made. One whose last run lies in the future is due now: the
-- clock was put back. Late is a job that is overdue, or has failed, for longer than its late_after.
--
-- retry    safe: reads only
-- locks    none
-- indexes  job_run_of_job
create or replace function duet.job_state(p_now timestamptz default now())
returns table (
    name text,
    description text,
    schedule text,
    next_run_at timestamptz,
    late boolean,
    run_id bigint,
    started_at timestamptz,
    finished_at timestamptz,
    took interval,
    done_by text,
    rows bigint,
    bytes bigint,
    error text
)
language sql stable
set search_path = duet, pg_temp
as $$
    select
        j.name, j.description, j.schedule,
        case
            when r.run_id is null then j.made_at
            when r.started_at > p_now + interval '1 minute' then p_now
            else job_next(j.schedule, r.started_at)
        end,
        p_now > j.late_after + coalesce(
            case when w.started_at is not null then job_next(j.schedule, least(p_now, w.started_at)) end,
            j.made_at
        ),
        r.run_id, r.started_at, r.finished_at, r.took, r.done_by, r.rows, r.bytes, r.error
    from job as j
    left join lateral (
        select l.* from job_run as l where l.job = j.name order by l.run_id desc limit 1
    ) as r on true
    -- The last one that went well.
    left join lateral (
        select l.started_at from job_run as l
        where l.job = j.name and l.error is null and l.finished_at is not null
        order by l.run_id desc
        limit 1
    ) as w on true
$$;
