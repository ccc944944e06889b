begin;
\ir helpers.psql
select no_plan();
select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
\set noon 'pg_temp.noon()'
-- Of tomorrow, whenever this runs: entries need a partition.
create function pg_temp.noon() returns timestamptz language sql stable as
    $$ select date_trunc('day', now(), 'UTC') + interval '36 hours' $$;

create function pg_temp.login(
    p_device text, p_platform text, p_minute integer, p_user text default 't-ann',
    p_as_user text default null, p_as_device text default null, p_issued_at timestamptz default null
) returns text
language sql as $$
    select concat_ws(' ', r.outcome, case when r.created then 'new' end, r.state)
    from duet.device_put(p_user, p_device, p_platform, null, null, p_as_user, p_as_device, p_issued_at,
        pg_temp.noon() + p_minute * interval '1 minute') as r
$$;
create function pg_temp.active(p_user text default 't-ann') returns text
language sql as $$
    select coalesce(string_agg(d.device_id, ' ' order by d.device_id), '')
    from duet.device as d join duet.app_user as u on u.user_no = d.owner
    where u.user_id = p_user and d.is_active
$$;
create function pg_temp.told() returns text
language sql as $$
    select string_agg(concat_ws(' ', e.details::json ->> 'device', e.details::json ->> 'reason', e.details::json ->> 'by'), ', ' order by e.seq)
    from duet.mailbox as e join duet.app_user as u on u.user_no = e.owner
    where u.user_id = 't-ann' and e.kind = 30
$$;

select is(pg_temp.login('a', 'ios', 0, 't-x'), 'user_unknown', 'nobody has no devices');
select is(pg_temp.login('a', 'ios', 0), 'ok new offline', 'a device logs in');
select is(pg_temp.login('a', 'web', 1), 'ok offline', 'and again, as another platform');
select is((duet.device_get('t-ann', 'a')).platform, 'web', 'which is what it is now');
select is((duet.device_get('t-ann', 'b')).outcome, 'device_unknown', 'there is no other');
select is((duet.device_get('t-x', 'a')).outcome, 'user_unknown', 'nor has nobody any');
select results_eq($$select outcome, device from duet.device_list('t-bob')$$, $$values ('ok', null)$$, 'a user without devices');

-- ---- what may be logged in beside each other ----

select pg_temp.login('b', 'ios', 2), pg_temp.login('c', 'web', 3) \g /dev/null
select is(pg_temp.active(), 'a b c', 'many may');
update duet.setting set sessions_limit = 3;
select is(pg_temp.login('d', 'mac', 4), 'ok new offline', 'a fourth, where three may');
select is(pg_temp.active(), 'b c d', 'ends the one seen longest ago');
select is(pg_temp.told(), 'a policy d', 'which is told why');
select is(pg_temp.login('d', 'mac', 5), 'ok offline', 'logging in again ends nothing');
select is(pg_temp.active(), 'b c d', 'for there are no more than before');
update duet.setting set sessions_limit = 20, sessions = 'one_per_platform';
select is(pg_temp.login('e', 'ios', 6), 'ok new offline', 'one of each platform');
select is(pg_temp.active(), 'c d e', 'ends that of the same platform');
update duet.setting set sessions = 'one';
select is(pg_temp.login('c', 'web', 7), 'ok offline', 'one in all');
select is(pg_temp.active(), 'c', 'ends all others');
select is(pg_temp.told(), 'a policy d, b policy e, d policy c, e policy c', 'each told once');
update duet.setting set sessions = 'many';
select is(pg_temp.login('a', 'web', 8), 'ok offline', 'whose session has ended logs in again');
select is(pg_temp.active(), 'a c', 'and is back');

update duet.setting set sessions_limit = 2;
select pg_temp.make_user('t-cid') as cid \gset
select pg_temp.login('old', 'ios', 0, 't-cid'), pg_temp.login('new', 'ios', 1, 't-cid') \g /dev/null
insert into duet.stream (owner, stream_id, device_id, opened_at, open_until)
values (:cid, 1, 'old', :noon, :noon + interval '1 hour');
select is(pg_temp.login('third', 'ios', 2, 't-cid'), 'ok new offline', 'where one has to go');
select is(pg_temp.active('t-cid'), 'old third', 'who is online stays, however long ago it logged in');
update duet.setting set sessions_limit = 20;

-- ---- who may act as a device ----

select is(duet.device_session(:ann, 'b', null, null, null), 'device_kicked', 'one whose session has ended must log in');
select is(duet.device_session(:ann, 'x', null, null, null), 'device_unknown', 'one that is not there cannot do anything');
select is(duet.device_session(:ann, 'a', 't-ann', 'b', :noon), 'forbidden', 'nor can the token of another');
select is(pg_temp.login('b', 'web', 9, p_as_user => 't-ann', p_issued_at => :noon + interval '6 minutes'), 'unauthenticated',
    'a token from before the end of the session, or of that second, does not bring it back');
select is(pg_temp.login('b', 'web', 9, p_as_user => 't-ann', p_issued_at => :noon + interval '6 minutes 1 second'), 'ok offline',
    'one issued later does');
select is(duet.device_session(:ann, 'b', 't-ann', null, :noon), 'unauthenticated', 'the older one stays void for this device');
select is(duet.device_session(:ann, 'c', 't-ann', null, :noon), 'ok', 'and good for others');

-- ---- position ----

select pg_temp.send(array_fill(:bob::bigint, array[3]), array_fill(:ann::bigint, array[3])) \g /dev/null
select last_seq as last from duet.mailbox_head where owner = :ann \gset
create function pg_temp.move(p_seq bigint) returns text
language sql as $$
    select concat_ws(' ', r.outcome, r.pointer, r.seq) from duet.position_put('t-ann', 'a', p_seq, null, null, null) as r
$$;
select is(pg_temp.move(2), 'ok 2', 'a position moves');
select is(pg_temp.move(1), 'ok 2', 'not back');
select is(pg_temp.move(:last), 'ok ' || :last, 'to the end of the mailbox');
select is(pg_temp.move(:last + 1), 'invalid_request /seq', 'and not beyond');

-- ---- presence ----

create function pg_temp.seen(p_user text) returns text
language sql as $$ select state from duet.presence_list(array[p_user], pg_temp.noon() + interval '1 hour') $$;
select is(pg_temp.seen('t-x'), 'unknown', 'of nobody nothing is known');
select is(pg_temp.seen('t-bob'), 'offline', 'without a device a user is offline');
select is(pg_temp.seen('t-ann'), 'offline', 'with one that is away as well');
update duet.device set push_vendor = 'apple', push_token = 't' where owner = :ann and device_id = 'e';
select is(pg_temp.seen('t-ann'), 'offline', 'also when one whose session has ended has a push token');
update duet.device set push_vendor = 'apple', push_token = 't' where owner = :ann and device_id = 'c';
select is(pg_temp.seen('t-ann'), 'push', 'one that is logged in can be reached by it');
insert into duet.stream (owner, stream_id, device_id, opened_at, open_until)
values (:ann, 1, 'a', :noon, :noon + interval '1 hour');
select is(pg_temp.seen('t-ann'), 'push', 'a stream that has run out does not count');
update duet.stream set open_until = :noon + interval '61 minutes';
select is(pg_temp.seen('t-ann'), 'online', 'an open one does');
select results_eq(
    $$select device, device_state from duet.presence_get('t-ann', pg_temp.noon() + interval '1 hour') order by device$$,
    $$values ('a', 'online'), ('b', 'offline'), ('c', 'push'), ('d', 'kicked'), ('e', 'kicked')$$, 'each device is told');
select is(last_seen_at, pg_temp.noon() + interval '1 hour', 'who is online is seen now')
from duet.presence_list(array['t-ann'], pg_temp.noon() + interval '1 hour');

-- ---- kicking ----

create function pg_temp.kick(p_device text, p_platform text, p_user text default 't-ann') returns text
language sql as $$
    select concat_ws(' ', r.outcome, r.pointer, r.kicked)
    from duet.user_kick(p_user, p_device, p_platform, pg_temp.noon() + interval '2 hours 0.3 seconds') as r
$$;
select is(pg_temp.kick(null, null, 't-x'), 'user_unknown', 'nobody can be kicked');
select is(pg_temp.kick('x', null), 'device_unknown /device', 'nor a device that is not there');
select is(pg_temp.kick('a', null), 'ok 1', 'a device is kicked');
select is(pg_temp.kick('a', null), 'ok 0', 'once');
select is(pg_temp.kick('c', 'ios'), 'device_unknown /device', 'a device of another platform is not');
select is(pg_temp.kick(null, 'web'), 'ok 2', 'a platform is');
select is(pg_temp.active(), '', 'nothing is left');
select is((select tokens_valid_from from duet.app_user where user_no = :ann), null, 'tokens are as they were');
select pg_temp.login('a', 'ios', 120) \g /dev/null
select is(pg_temp.kick(null, null), 'ok 1', 'all are kicked');
select is((select tokens_valid_from from duet.app_user where user_no = :ann), pg_temp.noon() + interval '2 hours 1 second',
    'and tokens are void up to the end of this second');
select is((select count(*) from duet.mailbox where owner = :ann and kind = 30 and details::json ->> 'device' is null), 1::bigint,
    'what has no device is told, too');
select pg_temp.login('a', 'ios', 130) \g /dev/null
select is(pg_temp.kick(null, null), 'ok 1', 'who has logged in before the clock was put back is kicked');
select is(pg_temp.active(), '', 'and stays out');
select is((select tokens_valid_from from duet.app_user where user_no = :ann), pg_temp.noon() + interval '130 minutes 1 second',
    'with the token of that login');

-- ---- logging out ----

create function pg_temp.logout(p_device text) returns text
language sql as $$ select outcome from duet.device_delete('t-ann', p_device, null, null, null) $$;
select is(pg_temp.login('n', 'ios', 140), 'ok new offline', 'a device that was never kicked');
select is(pg_temp.logout('n'), 'ok', 'logs out');
select is(pg_temp.logout('n'), 'ok', 'twice, if it must be');
select is((select count(*) from duet.device where device_id = 'n'), 0::bigint, 'and is forgotten');
select is(pg_temp.logout('b'), 'ok', 'one that was kicked');
select is((duet.device_get('t-ann', 'b')).outcome, 'device_unknown', 'is gone as well');
select is(pg_temp.login('b', 'web', 150, p_as_user => 't-ann', p_issued_at => :noon), 'unauthenticated',
    'but the token of the session that was ended stays void');
select is(pg_temp.login('b', 'web', 150), 'ok new offline', 'with a new one it is a new device');

-- ---- a token that is made void while a login waits ----

update duet.app_user set tokens_valid_from = :noon + interval '1 hour' where user_no = :cid;
select is(pg_temp.login('x', 'web', 60, 't-cid', 't-cid', p_issued_at => :noon + interval '59 minutes'), 'unauthenticated',
    'does not make a device');
select is(pg_temp.login('x', 'web', 60, 't-cid', 't-cid', p_issued_at => :noon + interval '1 hour'), 'ok new offline',
    'as a newer one does');

-- ---- how many ----

insert into duet.device (owner, device_id, platform, created_at, logged_in_at, seen_at)
select :bob, 'd' || n, 'web', now(), now(), now() from generate_series(1, 200) as n;
select is(pg_temp.login('x', 'web', 0, 't-bob'), 'devices_full', 'two hundred are remembered');
select is((duet.device_put('t-bob', 'd7', 'web', null, null, null, null, null)).outcome, 'ok', 'those can log in');
update duet.device set logged_in_at = now() - interval '1 hour', kicked_at = now() where owner = :bob and device_id in ('d8', 'd9');
select is(pg_temp.login('x', 'web', 0, 't-bob'), 'devices_full', 'one whose session has ended keeps its place, so that its tokens stay void');
update duet.app_user set tokens_valid_from = now() - interval '1 minute' where user_no = :bob;
select is(pg_temp.login('x', 'web', 0, 't-bob'), 'devices_full', 'also when older ones were made void');
update duet.app_user set tokens_valid_from = now() + interval '1 second' where user_no = :bob;
select is(pg_temp.login('x', 'web', 0, 't-bob'), 'ok new offline', 'until all of that time were');
select is(array(select d.device_id from duet.device as d where d.owner = :bob and d.device_id in ('d7', 'd8', 'd9')), '{d7}',
    'then it makes room');

-- ---- forgetting ----

insert into duet.device (owner, device_id, platform, created_at, logged_in_at, seen_at)
select :cid, 'd' || n, 'web', now(), now(), now() from generate_series(1, 6) as n;
update duet.device set seen_at = now() - interval '90 days 1 second' where owner = :cid and device_id in ('d1', 'd2', 'd3', 'd5', 'd6');
update duet.device set kicked_at = now() - interval '89 days' where owner = :cid and device_id = 'd5';
update duet.device set kicked_at = now() - interval '90 days 1 second' where owner = :cid and device_id = 'd6';
update duet.device set seen_at = now() - interval '89 days' where owner = :cid and device_id = 'd4';
insert into duet.stream (owner, stream_id, device_id, opened_at, open_until) values (:cid, 2, 'd3', now(), now() + interval '1 minute');
select is((select rows from duet.job_device_purge(now(), false)), 3::bigint, 'devices that were not seen for 90 days are forgotten');
select is((select count(*) from duet.device where owner = :cid and device_id in ('d3', 'd4', 'd5')), 3::bigint,
    'but those whose stream is open, younger ones, and those that were kicked since are not');

select is(pg_temp.with_gaps(), 0::bigint, 'no mailbox has a gap');
select * from finish();
rollback;
