-- duet.partition_of: the partitions of a table: since when and until when they hold rows. A default partition
-- has neither.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.partition_of(p_parent text)
returns table (partition name, since timestamptz, until timestamptz, is_default boolean)
language sql stable
set search_path = ''
as $$
    select
        c.relname,
        substring(b.bound from 'FROM \(''([^'']+)''\)')::timestamptz,
        substring(b.bound from 'TO \(''([^'']+)''\)')::timestamptz,
        b.bound = 'DEFAULT'
    from pg_catalog.pg_inherits as i
    join pg_catalog.pg_class as c on c.oid = i.inhrelid
    cross join pg_catalog.pg_get_expr(c.relpartbound, c.oid) as b(bound)
    where i.inhparent = p_parent::regclass
$$;
