-- duet.job_erasure_continue: each minute, remove what deleted users have left behind, where the request that
-- deleted them had not the time. A commit after each 20,000 rows, so that no lock is held for long.
--
-- retry    safe: see erasure_continue
create or replace procedure duet.job_erasure_continue()
language plpgsql
as $$
declare
    v_until constant pg_catalog.timestamptz := pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => 50);
    v_id text;
begin
    loop
        v_id := (select min(e.erasure_id)::text from duet.erasure as e where e.finished_at is null);
        exit when v_id is null or pg_catalog.clock_timestamp() > v_until;
        perform duet.erasure_continue(v_id, 20000);
        commit;
    end loop;
end
$$;

-- By name: scheduling it again replaces it.
do $$
begin
    if exists (select from pg_catalog.pg_extension where extname = 'pg_cron') then
        perform cron.schedule('duet_erasure_continue', '* * * * *', 'call duet.job_erasure_continue()');
    end if;
end
$$;
