-- duet.archive_hour: an hour as the API writes it: 2026-11-22T14, in UTC.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.archive_hour(p_hour timestamptz)
returns text
language sql stable
as $$
    select to_char(p_hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24')
$$;
