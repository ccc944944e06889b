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

-- ---- runs ----

delete from duet.job_run;
insert into duet.job_run (job, started_at, finished_at, done_by)
select 'run_purge', now() - age, now(), 'pg_cron' from unnest(array[interval '30 days', interval '30 days 1 second']) as age;
select is((select rows from duet.job_run_purge(now(), false)) >= 1, true, 'runs go after 30 days');
select is((select count(*) from duet.job_run), 1::bigint, 'not before');

select * from finish();
rollback;
