-- duet.partition_make: make the partitions of mailbox and of archive_chunk for today, the next 7 days and the last 8,
-- and those of audit_entry for this week and the next 4. Returns how many days ahead mailbox has then.
--
-- Days of the past are missing when nobody made any for more than a week: the database was down, or is an old copy.
-- Imports and the archives of hours without messages still go there; the audit is of now alone. The day 8 days ago is
-- the oldest that partition_expired leaves, so what is made here is not dropped at once. Where there is a default
-- partition, no day of the past is without one, and a row in it would keep all the others from being made.
--
-- Also for the server, where pg_cron is not there or has stopped. Makes and never drops: dropping takes
-- stronger locks and has its own job. pg_partman leaves the session's search_path as it finds it here:
-- empty, which is what the server's is.
--
-- retry    safe: what exists stays as it is
-- locks    one advisory lock for the transaction, so that two do not make the same table; mailbox in a mode
--          that lets reading and sending go on. Waits for either at most 2 s (55P03)
create or replace function duet.partition_make(p_now timestamptz default now())
returns bigint
language plpgsql security definer
set search_path = ''
set lock_timeout = '2s'
-- pg_partman cuts and names days in the session's time zone.
set timezone = 'UTC'
as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(1146439764, 1);
    perform partman.create_partition_time(
        t.name,
        array(
            select pg_catalog.date_trunc('day', p_now) + d * interval '1 day'
            from pg_catalog.generate_series(-8, 7) as d
            where d >= 0 or not exists (select from duet.partition_of(t.name) as p where p.is_default)
        ),
        p_analyze := false
    )
    from (values ('duet.mailbox'), ('duet.archive_chunk')) as t(name);
    perform partman.create_partition_time(
        'duet.audit_entry',
        array(
            select pg_catalog.date_trunc('week', p_now) + w * interval '1 week'
            from pg_catalog.generate_series(0, 4) as w
        ),
        p_analyze := false
    );
    return duet.partition_days_ahead(p_now);
end
$$;
