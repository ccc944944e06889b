-- duet.audit_horizon: the moment before which entries of the audit can no longer be read.
--
-- Every read filters by it, so that 90 days are 90 days however late a partition is dropped.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.audit_horizon(p_now timestamptz)
returns timestamptz
language sql immutable
as $$
    -- Hours, because a day of the calendar may have 23 of them.
    select p_now - interval '2160 hours'
$$;
