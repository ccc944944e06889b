-- duet.day_of: the day that a text such as 1990-05-17 names; null when it names none.
--
-- retry    safe: reads nothing but its argument
-- locks    none
create or replace function duet.day_of(p_day text)
returns date
language plpgsql stable strict
set search_path = duet, pg_temp
as $$
begin
    -- Nothing else that PostgreSQL takes for a date, such as "yesterday".
    if p_day !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then
        return null;
    end if;
    return p_day::date;
exception
    when datetime_field_overflow or invalid_datetime_format then
        return null;
end
$$;
