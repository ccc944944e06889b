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
        -- What is due this very minute has its own place in pg_cron's table.
        where s.next_run_at < pg_catalog.clock_timestamp()
            - case when s.run_id is null then interval '0' else interval '30 seconds' end
        order by s.next_run_at, s.name
    loop
        call duet.job_work(v_job);
    end loop;
end
$$;
