-- The framework of jobs: runs are kept, errors too, two at once are one.
begin;
\ir helpers.psql
create extension if not exists dblink schema public;
select no_plan();

-- pg_cron may be at work at this very moment.
select count(pg_advisory_xact_lock(1146439764, hashtext('job ' || name))) as n from duet.job \gset
delete from duet.job_run;

create function duet.job_test(
    p_now timestamptz, p_rehearsal boolean, out rows bigint, out bytes bigint, out more boolean
)
language plpgsql as $$
begin
    if current_setting('test.fail', true) = 'yes' then
        insert into duet.job (name, description, schedule, late_after) values ('half', '', '* * * * *', '1 day');
        raise exception 'no luck';
    end if;
    rows := case when p_rehearsal then 100 else 10 end;
    bytes := 1000;
    more := coalesce(current_setting('test.more', true), '') = 'yes';
end
$$;
insert into duet.job (name, description, schedule, late_after, made_at)
values ('test', 'For a test.', '17 * * * *', '1 hour', '2026-03-01 12:00:00Z');

create function pg_temp.runs() returns text
language sql as $$
    select string_agg(concat_ws(' ', done_by, rows, bytes, case when finished_at is null then 'open' end, error), '; ' order by run_id)
    from duet.job_run where job = 'test'
$$;
create function pg_temp.state(p_now timestamptz) returns text
language sql as $$
    select to_char(next_run_at at time zone 'UTC', 'DD HH24:MI:SS') || case when late then ' late' else '' end
    from duet.job_state(p_now) where name = 'test'
$$;

-- ---- schedules ----

select is(duet.job_next(schedule, after::timestamptz), next::timestamptz, schedule || ' after ' || after)
from (values ('17 * * * *', '2026-03-01 12:00:00Z', '2026-03-01 12:17:00Z'),
             ('17 * * * *', '2026-03-01 12:17:00Z', '2026-03-01 13:17:00Z'),
             ('* * * * *', '2026-03-01 12:00:59.9Z', '2026-03-01 12:01:00Z'),
             ('*/10 * * * *', '2026-03-01 23:55:00Z', '2026-03-02 00:00:00Z'),
             ('41 3 * * *', '2026-03-01 12:00:00Z', '2026-03-02 03:41:00Z'),
             ('0 0 * * *', '2026-03-01 00:00:00Z', '2026-03-02 00:00:00Z')) as v(schedule, after, next);
select throws_ok(format($$insert into duet.job (name, description, schedule, late_after) values ('x', '', %L, '1 day')$$, schedule),
    '23514', null, 'a schedule that is not understood is refused: ' || schedule)
from unnest(array['17 * * * 1', '17 */2 * * *', '60 * * * *', '1-3 * * * *', '']) as schedule;

-- ---- runs ----

select is(pg_temp.state('2026-03-01 12:00:01Z'), '01 12:00:00', 'a new job is due at once');
select is(pg_temp.state('2026-03-01 13:00:01Z'), '01 12:00:00 late', 'and late when it does not run');
select results_eq($$select outcome, rows, bytes, more, error from duet.job_perform('test', 'pg_cron', p_now => '2026-03-01 12:00:30Z')$$,
    $$values ('ok', 10::bigint, 1000::bigint, false, null::text)$$, 'a run does the job''s work');
select is(pg_temp.runs(), 'pg_cron 10 1000', 'and is kept');
select is(pg_temp.state('2026-03-01 12:05:00Z'), '01 12:17:00', 'then its schedule tells the next');
select is(pg_temp.state('2026-03-01 13:16:59Z'), '01 12:17:00', 'it may be overdue for a while');
select is(pg_temp.state('2026-03-01 13:17:01Z'), '01 12:17:00 late', 'then it is late');
select is((select count(*) from duet.job_watch('2026-03-01 12:19:59Z') where due = 'test'), 0::bigint, 'servers leave pg_cron three minutes');
select is((select count(*) from duet.job_watch('2026-03-01 12:20:01Z') where due = 'test'), 1::bigint, 'then it is for them');

-- A clock that steps back.
select is(pg_temp.state('2026-02-28 12:00:00Z'), '28 12:00:00', 'a job that ran in the future is due now');
select is((select outcome from duet.job_perform('test', 'duetd', p_now => '2026-02-28 12:00:00Z')), 'ok', 'and runs');
select is(pg_temp.state('2026-02-28 12:00:01Z'), '28 12:17:00', 'and goes on from there');

-- Errors.
delete from duet.job_run;
set local test.fail = 'yes';
select is((select error from duet.job_perform('test', 'duetd', p_now => '2026-03-01 12:17:00Z')), 'P0001: no luck', 'an error is told');
select is(pg_temp.runs(), 'duetd 0 0 P0001: no luck', 'and kept');
select is_empty($$select from duet.job where name = 'half'$$, 'what was done before it is undone');
select is(pg_temp.state('2026-03-01 13:18:00Z'), '01 13:17:00 late', 'a job that fails is late, too');
set local test.fail = '';
select is((select error from duet.job_perform('test', 'duetd', p_now => '2026-03-01 13:17:00Z')), null, 'it goes well the next time');
select is(pg_temp.state('2026-03-01 13:18:00Z'), '01 14:17:00', 'and is not late any more');

-- Slices, and one that never comes.
delete from duet.job_run;
set local test.more = 'yes';
select run as run from duet.job_perform('test', 'pg_cron', p_now => '2026-03-01 12:17:00Z') \gset
select is(pg_temp.runs(), 'pg_cron 10 1000 open', 'a job that has more to do is not at its end');
select is((select outcome from duet.job_perform('test', 'duetd', p_now => '2026-03-01 12:17:30Z')), 'job_running', 'it is nobody else''s');
set local test.more = '';
select is((select outcome from duet.job_perform('test', 'pg_cron', :run, p_now => '2026-03-01 12:17:31Z')), 'ok', 'it goes on');
select is(pg_temp.runs(), 'pg_cron 20 2000', 'all slices are one run');
set local test.more = 'yes';
select run as run from duet.job_perform('test', 'pg_cron', p_now => '2026-03-01 12:18:00Z') \gset
set local test.more = '';
select is((select outcome from duet.job_perform('test', 'request', p_now => '2026-03-01 12:20:00Z')), 'ok', 'one that was killed is found a minute later');
select is(pg_temp.runs(), 'pg_cron 20 2000; pg_cron 10 1000 broken off; request 10 1000', 'told as broken off, and done again');

-- Two at once.
select results_eq(
    format($$select * from dblink('dbname=%s host=%s user=duet_admin', 'select outcome from duet.job_perform(''partition_make'', ''duetd'')')
             as d(outcome text)$$, current_database(), split_part(current_setting('unix_socket_directories'), ',', 1)),
    $$values ('job_running')$$, 'of two at once the second is skipped, and told so');

-- By request.
delete from duet.job_run;
select results_eq($$select outcome, name, rows, more, error from duet.job_run('test', false)$$,
    $$values ('ok', 'test', 10::bigint, false, null::text)$$, 'a job can be run by request');
select is(pg_temp.runs(), 'request 10 1000', 'that is kept as well');
select results_eq($$select outcome, rows from duet.job_run('test', true)$$, $$values ('ok', 100::bigint)$$,
    'a rehearsal looks at more than a slice');
select is((select outcome from duet.job_run('nothing', false)), 'job_unknown', 'a job nobody knows is refused');

-- ---- what operators are told ----

delete from duet.job_run;
update duet.job set made_at = now();
select is((select string_agg(name || ' ' || ok, ', ') from duet.ready_get(true) where not needed),
    'partitions_ahead true, partition_default true, jobs true', 'readiness tells more when asked');
update duet.job set made_at = now() - interval '2 days' where name in ('test', 'partition_make');
select is((select detail from duet.ready_get(true) where name = 'jobs' and not ok), 'late: partition_make, test', 'late jobs are named');
select is((select late from duet.job_watch() limit 1), 2::bigint, 'and counted for the metric');
select is((select ok from duet.ready_get(true, now() + interval '6 days') where name = 'partitions_ahead'), false, 'fewer than two days are told');
set local role duet_owner;
create table duet.mailbox_default partition of duet.mailbox default;
reset role;
select is((select ok from duet.ready_get(true) where name = 'partition_default'), true, 'an empty default partition does no harm');
insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing)
values (1, 1, now() + interval '1 year', 2, 0, 0, 1, 0, false);
select is((select detail from duet.ready_get(true) where name = 'partition_default' and not ok),
    '1 rows lie in a default partition', 'a row in it does');

select * from finish();
rollback;
