begin;
\ir helpers.psql
select plan(4);

delete from duet.archive;
select results_eq('select outcome, hour from duet.stats_get()', $$values ('ok', null)$$, 'without a closed hour there is one row');
insert into duet.archive (hour, closed_at, messages, bytes, sha256, gzip_bytes, gzip_sha256)
select '2026-01-01 12:00Z'::timestamptz - n * interval '1 hour', now(), n, 1, '', 1, '' from generate_series(0, 40) as n;
select results_eq(
    $$select min(hour), max(hour), count(*), sum(messages)::bigint from duet.stats_get('2026-01-01 13:10Z')$$,
    $$values ('2025-12-31T13', '2026-01-01T12', 24::bigint, 276::bigint)$$, 'the closed hours of a day');
create table duet.many as select generate_series(1, 100001) as n;
analyze duet.many;
select is(duet.rows_about('many'), 100001::bigint, 'what is many is estimated');
delete from duet.many where n > 7;
select is(duet.rows_about('many'), 7::bigint, 'what is few is counted');

select * from finish();
rollback;
