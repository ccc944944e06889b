-- duet.job_partition_make: make partitions a week ahead, and those of the last days that are missing. Hourly for days
-- ahead: one hour may fail. Rows are the partitions that were made.
--
-- retry    safe: see partition_make
create or replace function duet.job_partition_make(
    p_now timestamptz,
    p_rehearsal boolean,
    out rows bigint,
    out bytes bigint,
    out more boolean
)
language plpgsql
set search_path = ''
as $$
declare
    v_before constant bigint := (select count(*) from duet.partition_of('duet.mailbox'))
        + (select count(*) from duet.partition_of('duet.audit_entry'))
        + (select count(*) from duet.partition_of('duet.archive_chunk'));
begin
    bytes := 0;
    more := false;
    -- Making needs a lock that lets sends go on, but making for nothing needs none.
    if not p_rehearsal and duet.partition_make(p_now) < 7 then
        raise exception 'mailbox has no partitions for the next 7 days';
    end if;
    rows := (select count(*) from duet.partition_of('duet.mailbox'))
        + (select count(*) from duet.partition_of('duet.audit_entry'))
        + (select count(*) from duet.partition_of('duet.archive_chunk')) - v_before;
end
$$;

-- A fresh database is ready at once, and one that slept for long.
select duet.partition_make();

select duet.job_schedule(
    'partition_make', '17 * * * *', interval '1 hour',
    'Makes partitions for the next 7 days, and for those of the last 8 that lack one.'
);
