-- duet.archive_horizon: the hour before which archives have expired: none of their messages can be read any more.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.archive_horizon(p_now timestamptz)
returns timestamptz
language plpgsql stable
set search_path = duet, pg_temp
as $$
begin
    return date_trunc('hour', message_horizon(p_now), 'UTC');
end
$$;
