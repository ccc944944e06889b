-- Following a mailbox: leases, rows of streams, and what is read for them.
begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob,
       pg_temp.make_user('t-cleo', 'Cleo') as cleo \gset

create function pg_temp.opened(p_user text, p_stream bigint, p_device text default null, p_now timestamptz default now())
returns text
language sql as $$
    select concat_ws(' ', o.outcome, o.last_seq) from duet.stream_open(p_user, p_device, p_stream, 2, p_now => p_now) as o
$$;
create function pg_temp.lease(p_owner bigint, p_now timestamptz default now()) returns interval
language sql as $$
    select watched_until - p_now from duet.mailbox_head where owner = p_owner
$$;

-- ---- opening ----

select is((select watched_until from duet.mailbox_head where owner = :bob), '-infinity', 'nobody watches a new mailbox');
select is(pg_temp.opened('t-nobody', 1), 'user_unknown', 'a user who is not there has no stream');
select is(pg_temp.opened('t-bob', 1), 'ok 0', 'a stream is opened');
select is(pg_temp.lease(:bob), interval '2 minutes', 'and the mailbox is watched');
select is(pg_temp.opened('t-bob', 2, p_now => now() + interval '50 seconds'), 'ok 0', 'another');
select is(pg_temp.lease(:bob), interval '2 minutes', 'leaves a lease that has half of its time left as it is');
select is(pg_temp.opened('t-bob', 3), 'streams_full', 'two streams are all that this user may have');
select is(pg_temp.opened('t-bob', 3, p_now => now() + interval '130 seconds'), 'ok 0', 'but those that have run out');
select is(pg_temp.lease(:bob), interval '250 seconds', 'and a lease that has less is renewed');
select is((select array_agg(stream_id order by stream_id) from duet.stream where owner = :bob), '{2,3}',
    'rows that have run out are gone');
select is(pg_temp.opened('t-bob', 9, 'phone'), 'device_unknown', 'a device must be there');
select is((select outcome from duet.device_put('t-cleo', 'phone', 'ios', null, null, null, null, null)), 'ok', 'as this one');
select is(pg_temp.opened('t-cleo', 9, 'phone'), 'ok 0', 'for a stream of its own');

-- ---- renewing and closing ----

select from duet.stream_renew(array[:bob, :cleo], array[3, 9], array[null, 'phone'],
    array[0, 1000000], now() + interval '100 seconds') \g /dev/null
select is((select open_until - now() from duet.stream where stream_id = 9), interval '220 seconds', 'a stream is renewed');
select is(pg_temp.lease(:cleo), interval '220 seconds', 'and its mailbox watched for longer');
select is(pg_temp.lease(:bob), interval '250 seconds', 'where less than half of the lease is left');
delete from duet.stream;
select from duet.stream_renew(array[:cleo, -1], array[9, 10], array['phone', null], array[1000000, 0], now()) \g /dev/null
select results_eq($$select stream_id, device_id collate "default", opened_at from duet.stream$$,
    $$values (9::bigint, 'phone', timestamptz '1970-01-01 00:00:01+00')$$,
    'rows that were lost are made anew, but none of one who is no user');
select from duet.stream_close(array[:cleo], array[9], now() + interval '1 hour') \g /dev/null
select is((select count(*) from duet.stream), 0::bigint, 'a stream is closed');
select is((select seen_at from duet.device where owner = :cleo), now() + interval '1 hour', 'and its device was seen');

-- ---- reading ----

create function pg_temp.told(p_owner bigint[], p_after bigint[], p_limit bigint default 32, p_rows bigint default 1000)
returns setof text
language sql as $$
    select format('%s: %s of %s, %s left out: %s', r.pair, r.reached, r.last_seq, r.left_out,
        string_agg(r.seq || ' ' || r.kind, ', ' order by r.seq))
    from duet.stream_read(p_owner, p_after, now() - interval '1 day', p_limit, p_rows) as r
    group by r.pair, r.reached, r.last_seq, r.left_out
    order by r.pair
$$;

select count(*) as sent from pg_temp.send(
    array[:ann, :ann, :ann, :cleo]::bigint[], array[:bob, :bob, :bob, :bob]::bigint[],
    p_store_seconds => array[604800, 0, 604800, 604800]) \gset
update duet.mailbox set deleted = true where owner = :bob and seq = 3;
select results_eq(
    format('select * from pg_temp.told(%L, %L)', array[:bob, :ann, :bob, -1], array[0, 3, 1, 0]),
    $$values ('1: 4 of 4, 1 left out: 1 message, 2 message, 4 message'), ('2: 3 of 3, 0 left out: '),
             ('3: 4 of 4, 1 left out: 2 message, 4 message'), ('4:  of , 0 left out: ')$$,
    'several places are read at once, with what is for connected devices only; a user who is no more has no last_seq');
select results_eq(
    format('select * from pg_temp.told(%L, %L, 2)', array[:bob], array[0]),
    $$values ('1: 2 of 4, 0 left out: 1 message, 2 message')$$, 'a full page says how far it goes');
select results_eq(
    format('select * from pg_temp.told(%L, %L, 2, 3)', array[:bob, :ann, :cleo], array[0, 0, 0]),
    $$values ('1: 2 of 4, 0 left out: 1 message, 2 message'), ('2: 1 of 3, 0 left out: 1 message')$$,
    'what there is no room for is not answered');

-- ---- erasure ----

select is(pg_temp.opened('t-ann', 20), 'ok 3', 'who is deleted');
select is((select outcome from duet.user_delete('t-ann')), 'ok', 'with a stream open');
select results_eq(
    format('select * from pg_temp.told(%L, %L)', array[:ann], array[3]), $$values ('1:  of , 0 left out: ')$$,
    'has none any more');

select * from finish();
rollback;
