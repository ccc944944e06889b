begin;
\ir helpers.psql
select plan(11);

create function pg_temp.begin_of(p_key text, p_hash bytea default 'h', p_operation text default 'op',
    p_caller text default 'backend', p_now timestamptz default now())
returns text language sql as $$
    select outcome || coalesce(' ' || reply, '')
    from duet.request_begin(p_caller, p_key, p_operation, p_hash, p_now)
$$;

select is(pg_temp.begin_of('k'), 'ok', 'a new key is free');
select is(pg_temp.begin_of('k'), 'ok', 'and stays so until the request ends');
select duet.request_end('backend', 'k', 'op', 'h', '{"a":1}');
select is(pg_temp.begin_of('k'), 'ok {"a":1}', 'then it gives the reply');
select is(pg_temp.begin_of('k', 'other'), 'idempotency_key_reused', 'but not to another request');
select is(pg_temp.begin_of('k', 'h', 'another'), 'idempotency_key_reused', 'nor to another operation');
select is(pg_temp.begin_of('k', p_caller => 'other'), 'ok', 'and not to another caller');
select is(pg_temp.begin_of('k', p_now => now() + interval '23:59:59'), 'ok {"a":1}', 'for 24 hours');
select is(pg_temp.begin_of('k', p_now => now() + interval '24:00:01'), 'ok', 'after which it is free again');
select duet.request_end('backend', 'k', 'op', 'new', '{"a":2}', now() + interval '24:00:01');
select is(pg_temp.begin_of('k', 'new', p_now => now() + interval '25:00'), 'ok {"a":2}', 'for another request');

insert into duet.idempotency_key
values ('backend', 'sent', 'message_send', '\x01', now(), 2, 20, 1, 10, now(), 7);
select is(pg_temp.begin_of('sent'), 'idempotency_key_reused', 'what a send has used is another request''s');

select pg_temp.make_user('ann');
update duet.app_user set tokens_valid_from = now() where user_id = 'ann';
select is(
    (select concat(outcome, reply) from duet.request_begin('backend', 'k', 'op', 'h', now(), 'ann', now() - interval '1 hour')),
    'unauthenticated', 'a token that is void is told nothing'
);

select * from finish();
rollback;
