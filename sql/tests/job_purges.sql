begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset

-- ---- idempotency keys ----

delete from duet.idempotency_key;
delete from duet.request_key;
select count(*) as n from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_key => array['k1'], p_hash => array['\x01'::bytea],
    p_now => now() - interval '24 hours') \gset
select count(*) as n from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_key => array['k2'], p_hash => array['\x01'::bytea],
    p_now => now() - interval '23:59:59') \gset
insert into duet.request_key (caller, key, operation, request_hash, created_at, reply)
select 'backend', k, 'user_import', '\x01', now() - age, '{}'
from (values ('k3', interval '24 hours'), ('k4', interval '23:59:59')) as v(k, age);
select results_eq($$select rows, bytes > 0, more from duet.job_idempotency_purge(now(), false)$$,
    $$values (2::bigint, true, false)$$, 'keys go after 24 hours');
select results_eq($$select key from duet.idempotency_key union all select key from duet.request_key order by 1$$,
    $$values ('k2' collate "C"), ('k4')$$, 'not before');
select is((select rows from duet.job_idempotency_purge(now() - interval '1 hour', false)), 0::bigint, 'a clock that steps back removes nothing');

-- ---- friend requests ----

delete from duet.friend_request;
insert into duet.friend_request (owner, outgoing, peer, created_at, expires_at)
values (:ann, true, :bob, now(), now()), (:bob, false, :ann, now(), now()),
       (:bob, true, :ann, now(), now() + interval '1 second');
select is((select rows from duet.job_friend_request_purge(now(), false)), 2::bigint, 'friend requests go when they expire, both rows');
select is((select count(*) from duet.friend_request), 1::bigint, 'not before');

-- ---- notifications ----

delete from duet.notification;
create function pg_temp.notification(p_state text, p_finished timestamptz, p_due timestamptz default null)
returns bigint language sql as $$
    insert into duet.notification (
        sender, created_by, kind, options, store_seconds, elements, state, send_at, created_at, finished_at, due_at
    )
    values (1, 'backend', 2, 14, 604800, '[]', p_state, now(), now(), p_finished, p_due)
    returning notification_no
$$;
select min(since) - interval '1 day' as until from duet.partition_of('duet.mailbox') \gset
select pg_temp.notification('done', :'until'::timestamptz - interval '1 microsecond') as gone,
       pg_temp.notification('done', :'until') as young,
       pg_temp.notification('paused', null) as paused,
       pg_temp.notification('recalled', :'until'::timestamptz - interval '9 days', now()) as telling \gset
select results_eq($$select rows, bytes > 0, more from duet.job_notification_purge(now(), false)$$,
    $$values (1::bigint, true, false)$$, 'notifications go when no partition can have a copy of them');
select is((select array_agg(notification_no order by 1) from duet.notification), array[:young, :paused, :telling]::bigint[],
    'not before, nor those that are not finished, nor while devices are told of a recall');
select is((select rows from duet.job_notification_purge(now() - interval '90 days', false)), 0::bigint,
    'a clock that steps back removes nothing');

-- ---- runs ----

delete from duet.job_run;
insert into duet.job_run (job, started_at, finished_at, done_by)
select 'run_purge', now() - age, now(), 'pg_cron' from unnest(array[interval '30 days', interval '30 days 1 second']) as age;
select is((select rows from duet.job_run_purge(now(), false)) >= 1, true, 'runs go after 30 days');
select is((select count(*) from duet.job_run), 1::bigint, 'not before');

select * from finish();
rollback;
