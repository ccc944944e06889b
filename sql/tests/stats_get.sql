begin;
\ir helpers.psql
select plan(6);

delete from duet.archive;
select results_eq('select outcome, hour from duet.stats_get()', $$values ('ok', null)$$, 'without a closed hour there is one row');
insert into duet.archive (hour, closed_at, messages, bytes, sha256, gzip_bytes, gzip_sha256)
select '2026-01-01 12:00Z'::timestamptz - n * interval '1 hour', now(), n, 1, '', 1, '' from generate_series(0, 40) as n;
select results_eq(
    $$select min(hour), max(hour), count(*), sum(messages)::bigint from duet.stats_get('2026-01-01 13:10Z')$$,
    $$values ('2025-12-31T13', '2026-01-01T12', 24::bigint, 276::bigint)$$, 'the closed hours of a day');
select is((select distinct messages_by_day from duet.stats_get('2026-01-01 13:10Z')),
    '[{"day": "2026-01-01", "messages": 78}, {"day": "2025-12-31", "messages": 588}, {"day": "2025-12-30", "messages": 154}]',
    'and of days');
insert into duet.archive (hour, closed_at, messages, bytes, sha256, gzip_bytes, gzip_sha256)
select '2025-12-29 12:00Z'::timestamptz - n * interval '1 day', now(), 1, 1, '', 1, '' from generate_series(0, 40) as n;
select results_eq(
    $$select jsonb_array_length(messages_by_day), messages_by_day -> -1 ->> 'day'
    from duet.stats_get('2026-01-01 13:10Z') limit 1$$,
    $$values (30, '2025-12-03')$$, 'at most 30 of them');
create table duet.many as select generate_series(1, 100001) as n;
analyze duet.many;
select is(duet.rows_about('many'), 100001::bigint, 'what is many is estimated');
delete from duet.many where n > 7;
select is(duet.rows_about('many'), 7::bigint, 'what is few is counted');

select * from finish();
rollback;
