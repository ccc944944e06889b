-- duet.job_run: do a job now, because somebody asks for it; with p_validate_only say what it would remove. The
-- caller rolls that back. Ends after two seconds, or after one slice that locks mailboxes or holds, with `more` true where
-- there is more to do.
--
-- outcome  ok (also when the job failed: then `error` says why) | job_unknown | job_running
-- retry    safe: see job_perform
-- locks    see job_perform
create or replace function duet.job_run(
    p_job text,
    p_validate_only boolean,
    p_now timestamptz default null,
    out outcome text,
    out name text,
    out started_at timestamptz,
    out took_ms bigint,
    out rows bigint,
    out bytes bigint,
    out more boolean,
    out error text
)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
    v_begun constant timestamptz := pg_catalog.clock_timestamp();
    v_slice record;
    v_run bigint;
begin
    loop
        select s.* into v_slice
        from duet.job_perform(p_job, 'request', v_run, coalesce(p_validate_only, false), p_now) as s;
        outcome := v_slice.outcome;
        if outcome <> 'ok' then
            return;
        end if;
        v_run := v_slice.run;
        more := v_slice.more;
        -- What keeps mailboxes locked until the commit, or keeps off holds, must not wait for another slice.
        exit when not more or p_validate_only
            or p_job in ('partition_drop', 'message_expire', 'held_purge', 'profile_announce', 'erasure_continue')
            or pg_catalog.clock_timestamp() > v_begun + interval '2 seconds';
    end loop;

    -- What is left is for the next run.
    update duet.job_run as r
    set finished_at = coalesce(r.finished_at, r.started_at + r.took)
    where r.run_id = v_run
    returning
        r.job, r.started_at, (extract(epoch from r.took) * 1000)::bigint, r.rows, r.bytes, r.error
    into name, started_at, took_ms, rows, bytes, error;
end
$$;
