-- duet.rows_about: how many rows a table of this schema has: counted up to 100000, beyond that from the statistics
-- that (auto)vacuum and analyze keep.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.rows_about(p_table text)
returns bigint
language plpgsql stable
set search_path = duet, pg_temp
as $$
-- @plpgsql_check_options: performance_warnings = false
declare
    v_n bigint;
begin
    execute format('select count(*) from (select from duet.%I limit 100000) as r', p_table) into v_n;
    if v_n = 100000 then
        select greatest(v_n, c.reltuples::bigint) into v_n
        from pg_class as c
        where c.oid = ('duet.' || quote_ident(p_table))::regclass;
    end if;
    return v_n;
end
$$;
