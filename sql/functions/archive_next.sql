-- duet.archive_next: bring the next hour that is over a step nearer to its archive. A step is a transaction:
--
-- 1. The gate is moved to the end of the hour: who reads it from now on stores nothing in the hour.
-- 2. The fence is put up: any transaction with a later number has seen the gate.
-- 3. When all transactions before the fence have ended, `hour` is told: nobody can add to it any more.
--
-- hour     the hour whose archive can be made now; null: there is none yet
-- again    there is another step to be done at once
-- waiting  how many hours are over and have no archive yet; null: somebody else is at work
--
-- Hours that nobody could read any more are passed over, also one that is open: whatever kept its archive from being
-- made does not stop the later ones. How many messages an hour had is known for 31 days (stats_get).
--
-- retry    safe: each call does what is left to do
-- locks    an advisory lock for the transaction, for which it does not wait: who does not get it has nothing to do;
--          the gate's row; the day's partition of mailbox in a mode that lets sends go on, where that is free
-- indexes  archive_pkey
create or replace function duet.archive_next(
    p_now timestamptz default null,
    out hour timestamptz,
    out again boolean,
    out waiting bigint
)
language plpgsql security definer
set search_path = duet, pg_temp
set timezone = 'UTC'
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := coalesce(p_now, clock_timestamp());
    v_over constant timestamptz := date_trunc('hour', v_now);
    v_oldest constant timestamptz := v_over - interval '168 hours';
    v_hour timestamptz;
    v archive;
begin
    again := false;
    if not archive_lock() then
        return;
    end if;
    select a.* into v from archive as a where a.closed_at is null;
    if v.hour < v_oldest then
        delete from archive as a where a.hour = v.hour;
        v := null;
    end if;
    v_hour := coalesce(v.hour, (select greatest(g.closed_until, v_oldest) from archive_gate as g));
    waiting := greatest(extract(epoch from v_over - v_hour)::bigint / 3600, 0);
    if waiting = 0 then
        return;
    end if;

    if v.hour is null then
        update archive_gate as g set closed_until = v_hour + interval '1 hour';
        insert into archive (hour) values (v_hour);
        delete from archive as a where a.hour < v_now - interval '31 days';
        again := true;
    elsif v.fence is null then
        update archive as a set fence = pg_current_xact_id() where a.hour = v.hour;
        again := true;
    elsif pg_snapshot_xmin(pg_current_snapshot()) >= v.fence then
        hour := v.hour;
        perform archive_summarize(v.hour);
    end if;
end
$$;
