begin;
\ir helpers.psql
select plan(22);

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

-- Nobody has made any for long.
create function pg_temp.all_there(p_first integer, p_last integer) returns boolean
language sql as $$ select bool_and(pg_temp.partition(d) is not null) from generate_series(p_first, p_last) as d $$;
create temporary table known as select inhrelid::regclass as partition from pg_inherits;
select is(pg_temp.make(date_trunc('day', now()) + interval '40 days'), 7::bigint, 'after weeks without, days are made again');
select ok(pg_temp.all_there(32, 47), 'those of the last days too');
select is(pg_temp.partition(31), null, 'as far back as anybody can read, and a day more');
select cmp_ok((select count(*) from pg_inherits where inhrelid::regclass not in (select partition from known)
    and inhparent = 'duet.archive_chunk'::regclass), '=', 16::bigint, 'those of archives as well');
select is_empty(
    $$select partition from duet.partition_expired(date_trunc('day', now()) + interval '41 days' - interval '1 microsecond')
      where ('duet.' || partition)::regclass not in (select partition from known)$$,
    'nothing is made that would be dropped at once');

create table duet.mailbox_default partition of duet.mailbox default;
insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing)
values (-1, 1, now() + interval '57 days', -2, 1, 1, 1, 0, false);
select is(pg_temp.make(now() + interval '60 days'), 7::bigint, 'a row of the past in a default partition keeps no day ahead from being made');
select is(pg_temp.partition(59), null, 'which stands for the days of the past');
drop table duet.mailbox_default;
select is(pg_temp.make(now() + interval '60 days') = 7 and pg_temp.all_there(52, 67), true, 'until it has gone');

select * from finish();
rollback;
