-- duet.partition_default_rows: how many rows lie in default partitions, up to 1000. There should be no such
-- partition: a row in it keeps the partition that it belongs to from being made.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.partition_default_rows()
returns bigint
language plpgsql stable
set search_path = duet, pg_temp
as $$
declare
    v_partition name;
    v_n bigint;
    v_all bigint := bigint '0';
begin
    for v_partition in
        select p.partition from partition_of('duet.mailbox') as p where p.is_default
        union all
        select p.partition from partition_of('duet.audit_entry') as p where p.is_default
        union all
        select p.partition from partition_of('duet.archive_chunk') as p where p.is_default
    loop
        continue when not has_table_privilege(format('duet.%I', v_partition), 'select');
        execute format('select count(*) from (select from %I limit 1000) as r', v_partition) into v_n;
        v_all := v_all + v_n;
    end loop;
    return v_all;
end
$$;
