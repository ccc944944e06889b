begin;
\ir helpers.psql
select plan(13);
select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset

select ok(duet.caller_is_good(null, null), 'a back-end token always counts');
select ok(duet.caller_is_good('t-ann', 'epoch'), 'so does a user token while none was made void');
select ok(duet.caller_is_good('t-ghost', 'epoch'), 'and one of nobody, of which the call itself tells');
update duet.app_user set tokens_valid_from = '2026-01-01 12:00:00.9Z' where user_no = :ann;
select ok(not duet.caller_is_good('t-ann', '2026-01-01 11:59:59Z'), 'what was issued before is void');
select ok(duet.caller_is_good('t-ann', '2026-01-01 12:00:00Z'), 'what was issued in that very second is not');
select ok(duet.caller_is_good('t-bob', '2026-01-01 11:59:59Z'), 'and others are not concerned');

create function pg_temp.sent(p_sender bigint, p_receiver bigint, p_issued_at bigint) returns text language sql as $$
    select outcome from duet.message_send_batch(array[p_sender], array[p_receiver], array[1], array[null], array['[]'],
        array[null], array[null], array[604800], array[31], array['b'], array['b'], array[null], array[null::bytea], null,
        array[p_issued_at])
$$;
select is(pg_temp.sent(:ann, :bob, extract(epoch from timestamptz '2026-01-01 11:59:59Z')::bigint), 'unauthenticated',
    'a void token sends nothing');
select is(pg_temp.sent(:ann, :bob, 9223372036854775807), 'ok', 'a back-end is not held by it');

select (duet.device_put('t-bob', 'phone', 'ios', null, null, null, null, null)).outcome \g /dev/null
update duet.device set kicked_at = '2026-01-01 12:00:00.9Z' where owner = :bob;
select ok(not duet.caller_is_good('t-bob', '2026-01-01 12:00:00Z', 'phone'),
    'a token of a device is void when it was issued before its session ended, or in that second');
select ok(duet.caller_is_good('t-bob', '2026-01-01 12:00:01Z', 'phone'), 'one that came later is not');
select ok(duet.caller_is_good('t-bob', '2026-01-01 12:00:00Z', 'tablet'), 'nor one of another device');
select ok(duet.caller_is_good('t-bob', '2026-01-01 12:00:00Z'), 'nor one for any device');
select is(
    (select outcome from duet.message_send_batch(array[:bob], array[:ann], array[1], array[null], array['[]'],
        array[null], array[null], array[604800], array[31], array['b'], array['b'], array[null], array[null::bytea], null,
        array[extract(epoch from timestamptz '2026-01-01 12:00:00Z')::bigint], array['phone'])),
    'unauthenticated', 'a void token of a device sends nothing');

select * from finish();
rollback;
