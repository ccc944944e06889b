begin;
\ir helpers.psql
select plan(8);
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

select * from finish();
rollback;
