-- duet.message_time: the time of messages that are about to be stored: what the clock says, but never in an hour
-- whose archive is closed. A clock that is put back by less than a day changes nothing in what was closed; one that
-- was ahead by more is not followed.
--
-- To be called when the transaction has its number, which it gets with the first lock of a row: then whoever
-- closes an hour either waits for it, or is seen by it. docs/archives.md says more. p_now is for tests, and is
-- taken as it is.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.message_time(p_now timestamptz)
returns timestamptz
-- Volatile, so that it sees what was committed since the caller's own statement began. Without a search_path of
-- its own, as every batch of messages pays for the setting of one.
language plpgsql volatile
as $$
declare
    v_clock constant timestamptz := clock_timestamp();
begin
    return coalesce(
        p_now,
        (
            select greatest(v_clock, g.closed_until)
            from duet.archive_gate as g
            where g.closed_until < v_clock + interval '1 day'
        ),
        v_clock
    );
end
$$;
