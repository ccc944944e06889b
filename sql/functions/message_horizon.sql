-- duet.message_horizon: the moment before which messages can no longer be read.
--
-- Every read filters by it, so that retention is exact to the second however late a partition is dropped.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.message_horizon(p_now timestamptz)
returns timestamptz
-- Not sql, whose plan would be made anew by each call.
language plpgsql stable
set search_path = duet, pg_temp
as $$
begin
    return (select p_now - make_interval(hours => 24 * s.roaming_days) from setting as s);
end
$$;
