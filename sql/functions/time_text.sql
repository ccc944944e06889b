-- duet.time_text: a moment as the API writes it, RFC 3339 in UTC with milliseconds; for JSON that is made here.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.time_text(p_time timestamptz)
returns text
language sql stable
as $$
    select to_char(p_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
