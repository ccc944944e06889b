-- duet.offline_horizon: the moment before which entries are not given to a device that was away. They may still
-- be read as history.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.offline_horizon(p_now timestamptz)
returns timestamptz
language plpgsql stable
set search_path = duet, pg_temp
as $$
begin
    return (
        select p_now - make_interval(hours => 24 * least(s.roaming_days, s.offline_days)) from setting as s
    );
end
$$;
