begin;
\ir helpers.psql
select plan(14);

create function pg_temp.partition(p_days integer) returns regclass
language sql as $$
    select to_regclass('duet.mailbox_p' || to_char(now() at time zone 'UTC' + p_days * interval '1 day', 'YYYY_MM_DD'))
$$;

-- Then with the path that these tests need.
create function pg_temp.make(p_now timestamptz default now()) returns bigint
language plpgsql as $$
declare
    v_days constant bigint := duet.partition_make(p_now);
begin
    perform pg_catalog.set_config('search_path', 'public', true);
    return v_days;
end
$$;

select ok((select bool_and(pg_temp.partition(d) is not null) from generate_series(-8, 7) as d),
    'there are partitions from 8 days ago to 7 days ahead');
select is(duet.partition_days_ahead(), 7::bigint, 'and they are counted');
select is(pg_temp.make(), 7::bigint, 'making what is there changes nothing');

select is(duet.partition_days_ahead(now() + interval '5 days'), 2::bigint, 'five days later there are two');
select is(pg_temp.make(now() + interval '5 days'), 7::bigint, 'until they are made');
select isnt(pg_temp.partition(12), null, 'up to 7 days from then');
select is(duet.partition_days_ahead(now() + interval '25 days'), -1::bigint, 'past the last there is not even today''s');

set local timezone = 'Pacific/Auckland';
select is(pg_temp.make(now() + interval '6 days'), 7::bigint, 'whatever the caller''s time zone');
set local timezone = 'UTC';
select is(
    (select pg_get_expr(relpartbound, oid) from pg_class where oid = pg_temp.partition(13)),
    format('FOR VALUES FROM (%L) TO (%L)', date_trunc('day', now()) + interval '13 days', date_trunc('day', now()) + interval '14 days'),
    'a partition is a day of UTC');

select outcome || coalesce(error, '') as done from duet.job_perform('partition_make', 'request') \gset
set local search_path = public;
select is(:'done'::text, 'ok', 'the job can be performed');
select is(
    (select count(*) from pg_inherits where inhparent = 'duet.mailbox'::regclass
     and pg_get_expr((select relpartbound from pg_class where oid = inhrelid), inhrelid) = 'DEFAULT'),
    0::bigint, 'there is no default partition');
select is_empty(
    $$select inhrelid::regclass from pg_inherits where inhparent = 'duet.mailbox'::regclass
      except
      select conrelid::regclass from pg_constraint where contype = 'p' and pg_get_constraintdef(oid) = 'PRIMARY KEY (owner, seq)'$$,
    'each partition has the primary key');
select is(
    (select array_agg(distinct n) from (
        select count(*) as n from pg_index, pg_inherits
        where indrelid = inhrelid and inhparent = 'duet.mailbox'::regclass group by inhrelid) as i),
    array[5::bigint], 'and the other four indexes');
select results_eq(
    $$select retention, retention_keep_table, infinite_time_partitions, automatic_maintenance from partman.part_config
      where parent_table = 'duet.mailbox'$$,
    $$values ('8 days', false, true, 'off')$$,
    'pg_partman knows what to drop, and does nothing by itself');

select * from finish();
rollback;
