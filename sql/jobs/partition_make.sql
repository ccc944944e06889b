-- duet.job_partition_make: each hour, make partitions ahead. Hourly for days ahead: one hour may fail.
--
-- retry    safe: see partition_make
create or replace procedure duet.job_partition_make()
language plpgsql security definer
set search_path = ''
as $$
begin
    if duet.partition_make() < 7 then
        raise exception 'mailbox has no partitions for the next 7 days';
    end if;
end
$$;

-- A fresh database is ready at once, and one that slept for long.
select duet.partition_make();

-- By name: scheduling it again replaces it.
do $$
begin
    if exists (select from pg_catalog.pg_extension where extname = 'pg_cron') then
        perform cron.schedule('duet_partition_make', '17 * * * *', 'call duet.job_partition_make()');
    end if;
end
$$;
