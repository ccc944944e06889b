-- duet.archive_begin: in a transaction of level repeatable read: begin to make the archive of an hour that
-- archive_next has told. All that follows in the transaction sees this one moment.
--
-- outcome  ok | hour_not_closed (it is not due, is made already, or somebody else is at it)
-- retry    safe: reads only
-- locks    that of archive_lock
-- indexes  archive_pkey
create or replace function duet.archive_begin(p_hour timestamptz, out outcome text)
language plpgsql security definer
set search_path = duet, pg_temp
as $$
begin
    outcome := case
        when archive_lock() and exists (
            select from archive as a
            where a.hour = p_hour and a.closed_at is null
              and pg_snapshot_xmin(pg_current_snapshot()) >= a.fence
        ) then 'ok'
        else 'hour_not_closed'
    end;
end
$$;
