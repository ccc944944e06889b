-- duet.job_work: do a job to its end, in as many transactions as it has slices. For pg_cron, as duet_owner.
--
-- retry    safe: see job_perform
-- locks    those of a slice at a time
create or replace procedure duet.job_work(p_job text)
language plpgsql
as $$
declare
    v_slice record;
    v_run bigint;
begin
    for v_n in 1 .. 100000 loop
        select s.* into v_slice from duet.job_perform(p_job, 'pg_cron', v_run) as s;
        commit;
        exit when v_slice.outcome <> 'ok' or not v_slice.more;
        v_run := v_slice.run;
    end loop;
    if v_slice.outcome <> 'ok' then
        raise notice '%: skipped: %', p_job, v_slice.outcome;
    elsif v_slice.error is not null then
        raise warning '%: %', p_job, v_slice.error;
    end if;
end
$$;
