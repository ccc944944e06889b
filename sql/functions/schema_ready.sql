-- duet.schema_ready: whether the database can serve: the version of its schema, for how many days after
-- today mailboxes have partitions (-1: not even today), and whether it is a standby.
--
-- retry    safe: reads only, in well under a millisecond
-- locks    none
create or replace function duet.schema_ready()
returns table (version integer, partitions_ahead_days bigint, in_recovery boolean)
language sql stable security definer set search_path = duet, pg_temp
as $$
    select
        (select max(v.version) from schema_version as v),
        partition_days_ahead(),
        pg_is_in_recovery()
$$;
