begin;
\ir helpers.psql
select plan(9);

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

select * from finish();
rollback;
