-- duet.partition_expired: the partitions whose rows are all older than pg_partman is told to keep, oldest first.
--
-- For mailbox that is the longest that roaming_days can be and a day more, whatever it is now: a setting that
-- is raised again brings back what it hid.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.partition_expired(p_now timestamptz)
returns table (parent text, partition name, since timestamptz, until timestamptz)
language plpgsql stable
set search_path = ''
as $$
#variable_conflict use_column
begin
    return query
    select c.parent_table, p.partition, p.since, p.until
    from partman.part_config as c
    cross join duet.partition_of(c.parent_table) as p
    where c.parent_table in ('duet.mailbox', 'duet.audit_entry', 'duet.archive_chunk')
      and p.until <= p_now - c.retention::interval
    order by p.until, c.parent_table;
end
$$;
