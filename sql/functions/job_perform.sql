-- duet.job_perform: do one slice of a job, and keep the run in job_run. With p_run it goes on with a run whose
-- slice before has said that there is more.
--
-- An error undoes the slice, ends the run and stands in job_run.error; nothing is raised. A run that is
-- killed between two slices is found by the next one, a minute later, and told as broken off; what its
-- slices have done stays done.
--
-- outcome  ok | job_unknown | job_running (somebody else is at it, or has just been: skipped)
-- retry    safe: each job does what is left to do
-- locks    an advisory lock of the job for the transaction, for which it does not wait; then the job's own
-- indexes  job_pkey, job_run_of_job, job_run_pkey
create or replace function duet.job_perform(
    p_job text,
    p_done_by text,
    p_run bigint default null,
    p_rehearsal boolean default false,
    p_now timestamptz default null,
    out outcome text,
    out run bigint,
    out rows bigint,
    out bytes bigint,
    out more boolean,
    out error text
)
language plpgsql security definer
-- pg_partman leaves an empty path behind, so all is told in full.
set search_path = ''
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := coalesce(p_now, pg_catalog.clock_timestamp());
    v_begun constant timestamptz := pg_catalog.clock_timestamp();
    v_took interval;
    v_open record;
begin
    if not exists (select from duet.job as j where j.name = p_job) then
        outcome := 'job_unknown';
        return;
    end if;

    outcome := 'job_running';
    if not pg_catalog.pg_try_advisory_xact_lock(1146439764, pg_catalog.hashtext('job ' || p_job)) then
        return;
    end if;
    -- Another server may have done it since this one looked.
    if p_done_by = 'duetd' and p_run is null and not exists (
        select from duet.job_state(v_now) as s where s.name = p_job and s.next_run_at <= v_now
    ) then
        return;
    end if;
    select r.run_id, r.started_at + r.took as touched_at into v_open
    from duet.job_run as r
    where r.job = p_job and r.finished_at is null
    order by r.run_id desc
    limit 1;
    if found and v_open.run_id is distinct from p_run then
        if v_open.touched_at between v_now - interval '1 minute' and v_now + interval '1 minute' then
            return;
        end if;
        update duet.job_run as r
        set finished_at = v_now, error = 'broken off'
        where r.job = p_job and r.finished_at is null;
    end if;
    outcome := 'ok';

    begin
        execute pg_catalog.format('select j.rows, j.bytes, j.more from duet.%I($1, $2) as j', 'job_' || p_job)
        into rows, bytes, more
        using v_now, p_rehearsal;
    exception
        when others then
            error := sqlstate || ': ' || sqlerrm;
    end;
    rows := coalesce(rows, 0);
    bytes := coalesce(bytes, 0);
    more := coalesce(more, false);
    v_took := pg_catalog.clock_timestamp() - v_begun;

    if p_run is null then
        insert into duet.job_run as r (job, started_at, finished_at, took, done_by, rows, bytes, error)
        values (p_job, v_now, case when not more then v_now + v_took end, v_took, p_done_by, rows, bytes, error)
        returning r.run_id into run;
    else
        run := p_run;
        update duet.job_run as r
        set finished_at = case when not more then v_now + v_took end,
            took = greatest(r.took, v_now - r.started_at) + v_took,
            rows = r.rows + job_perform.rows,
            bytes = r.bytes + job_perform.bytes,
            error = job_perform.error
        where r.run_id = p_run;
    end if;
end
$$;
