-- duet.job_run_purge: remove the traces of jobs: our own after 30 days, pg_cron's after 7, as far as it
-- lets its user.
--
-- retry    safe
-- locks    rows that nobody else writes to
-- indexes  job_run_started_at
create or replace function duet.job_run_purge(
    p_now timestamptz,
    p_rehearsal boolean,
    out rows bigint,
    out bytes bigint,
    out more boolean
)
language plpgsql
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_limit constant bigint := case when p_rehearsal then 100000 else 10000 end::bigint;
    v_n bigint := bigint '0';
begin
    bytes := 0;
    delete from job_run as r
    where r.run_id = any (array(
        select o.run_id from job_run as o where o.started_at < p_now - interval '30 days' limit v_limit
    ));
    get diagnostics rows = row_count;

    if to_regclass('cron.job_run_details') is not null
       and has_table_privilege('cron.job_run_details', 'delete') then
        execute
            'delete from cron.job_run_details as r
             where r.runid = any (array(
                 select o.runid from cron.job_run_details as o where o.end_time < $1 limit $2))'
        using p_now - interval '7 days', v_limit;
        get diagnostics v_n = row_count;
    end if;
    more := rows = v_limit or v_n = v_limit;
    rows := rows + v_n;
end
$$;

select duet.job_schedule(
    'run_purge', '11 4 * * *', interval '1 day', 'Removes the records of runs: after 30 days, pg_cron''s own after 7.'
);
