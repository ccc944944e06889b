begin;
\ir helpers.psql
select plan(5);

select results_eq(
    $$select version, partitions_ahead_days, in_recovery from duet.schema_ready()$$,
    $$select max(version), 7::bigint, false from duet.schema_version$$,
    'the schema''s version is read, and how far partitions reach');
select results_eq(
    $$select outcome, name, ok, detail from duet.ready_get()$$,
    $$select 'ok', 'schema', true, 'version ' || max(version) from duet.schema_version
      union all values ('ok', 'primary', true, 'the database takes writes'),
                       ('ok', 'partitions', true, 'mailboxes have partitions for 7 days ahead')$$,
    'a migrated database is ready');

do $$
begin
    for d in 1 .. 7 loop
        execute format('drop table duet.mailbox_p%s', to_char(now() at time zone 'UTC' + d * interval '1 day', 'YYYY_MM_DD'));
    end loop;
end
$$;
select is((select ok from duet.ready_get() where name = 'partitions'), false, 'it is not ready for a day without a partition');
select duet.partition_make() as made \gset
set local search_path = public;
select is(:made, 7, 'missing partitions can be made at any time');
select is((select bool_and(ok) from duet.ready_get()), true, 'then it is ready again');

select * from finish();
rollback;
