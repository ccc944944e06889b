-- duet.job_catch_up: do what should have been done before. pg_cron does not make up for what it missed while
-- the database was away, and a job that is new shall not wait for its hour. For pg_cron, each minute.
--
-- retry    safe: see job_work
create or replace procedure duet.job_catch_up()
language plpgsql
as $$
declare
    v_job text;
begin
    for v_job in
        select s.name from duet.job_state(pg_catalog.clock_timestamp()) as s
        where s.next_run_at < pg_catalog.clock_timestamp() - interval '30 seconds'
        order by s.next_run_at, s.name
    loop
        call duet.job_work(v_job);
    end loop;
end
$$;
