-- Hours that are closed: who can still add to them, and what their archives hold.
begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob,
       pg_temp.make_user('t-cy', 'Cy') as cy \gset

-- An hour of the day before, which ends at :over. The gate stands where it begins.
select date_trunc('hour', now(), 'UTC') - interval '30 hours' as hour,
       date_trunc('hour', now(), 'UTC') - interval '29 hours' as over \gset
delete from duet.archive;
update duet.archive_gate set closed_until = :'hour';

create function pg_temp.next(p_now timestamptz) returns text
language sql as $$
    select concat_ws(' ', duet.archive_hour(n.hour), n.again::text, n.waiting::text) from duet.archive_next(p_now) as n
$$;
-- What an archive of this time would hold that is made now: from>to and the text.
create function pg_temp.held(p_since timestamptz, p_until timestamptz, p_now timestamptz default now()) returns text
language plpgsql as $$
begin
    perform duet.archive_open(p_since, p_until, p_now);
    return (
        select coalesce(string_agg(
            concat_ws('>', coalesce(m."from", '-'), coalesce(m."to", '-')) || ' '
            || coalesce(m.elements::json -> 0 ->> 'text', m.state), ', '), '')
        from duet.archive_fetch(1000) as m
    );
end
$$;
create function pg_temp.text(p_text text) returns text[] language sql as $$
    select array[json_build_array(json_build_object('type', 'text', 'text', p_text))::text]
$$;

-- ---- the steps ----

select is(pg_temp.next(:'hour'), 'false 0', 'an hour that has begun is not closed');
select is(pg_temp.next(:'over'::timestamptz - interval '1 microsecond'), 'false 0', 'nor is one that is about to end');
select is((select outcome from duet.archive_get(:'hour')), 'hour_not_closed', 'that is told');

select is(pg_temp.next(:'over'), 'true 1', 'first the gate is moved');
select is((select closed_until from duet.archive_gate), :'over'::timestamptz, 'to the end of the hour');
select is((select outcome from duet.archive_begin(:'hour')), 'hour_not_closed', 'nothing is made before there is a fence');
select is(pg_temp.next(:'over'), 'true 1', 'then the fence is put up');
select is((select fence from duet.archive), pg_current_xact_id(), 'where transactions are now');
select is(pg_temp.next(:'over'), to_char(:'hour'::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24') || ' false 1',
    'when nobody is before the fence the hour can be made');
update duet.archive set fence = (fence::text::bigint + 1000)::text::xid8;
select is(pg_temp.next(:'over'), 'false 1', 'while somebody is, it waits');
select is((select outcome from duet.archive_begin(:'hour')), 'hour_not_closed', 'and cannot be begun');
update duet.archive set fence = pg_current_xact_id();
select is((select outcome from duet.archive_get(:'hour')), 'hour_not_closed', 'it is not closed before it is made');

select is((select outcome from duet.archive_begin(:'hour')), 'ok', 'it can be begun');
select from duet.archive_add(:'hour', 0, 0, 300, 'first');
select from duet.archive_add(:'hour', 300, 5, 20, 'last');
select from duet.archive_close(:'hour', 3, 320, sha256('a'), 9, sha256('b'));
select is((select outcome from duet.archive_begin(:'hour')), 'hour_not_closed', 'what is made is not begun again');
select from duet.archive_close(:'hour', 4, 321, sha256('c'), 10, sha256('d'));
select is((select messages from duet.archive), 3::bigint, 'nor changed');
select is(pg_temp.next(:'over'), 'false 0', 'the next hour is not over');
select is(pg_temp.next(:'over'::timestamptz + interval '3 hours'), 'true 3', 'hours are closed one after the other');
select is((select max(hour) from duet.archive), :'over'::timestamptz, 'without a gap');
delete from duet.archive where hour = :'over';
select is(pg_temp.next(:'over'::timestamptz + interval '40 days'), 'true 168', 'but for those that nobody could read');
select is_empty($$select from duet.archive where closed_at is not null$$, 'what has expired long ago is forgotten');

-- One that is open for so long that nobody could read it any more.
select duet.archive_hour(hour) as stuck, hour as stuck_at from duet.archive \gset
select is(pg_temp.next(:'over'::timestamptz + interval '40 days'), 'true 168', 'an hour that is open is gone on with');
select is(pg_temp.next(:'over'::timestamptz + interval '40 days'), :'stuck' || ' false 168', 'again and again');
select is(pg_temp.next(:'over'::timestamptz + interval '40 days 1 hour'), 'true 168', 'until nobody could read it any more');
select is((select array_agg(hour) from duet.archive), array[:'stuck_at'::timestamptz + interval '1 hour'],
    'then it is passed over, and the next one takes its place');
select is((select closed_until from duet.archive_gate), :'stuck_at'::timestamptz + interval '2 hours', 'with the gate at its end');
select is((select outcome from duet.archive_get(:'stuck_at', :'over'::timestamptz + interval '40 days 1 hour')), 'archive_expired',
    'nobody misses it');
delete from duet.archive;

-- Nobody has made partitions for twelve days, nor archives.
create function pg_temp.make_archive(p_now timestamptz) returns text
language plpgsql as $$
declare
    v record;
begin
    for v_step in 1 .. 3 loop
        select n.* into v from duet.archive_next(p_now) as n;
    end loop;
    perform from duet.archive_begin(v.hour);
    perform from duet.archive_add(v.hour, 0, 0, 300, 'all');
    perform from duet.archive_close(v.hour, 0, 300, sha256('a'), 3, sha256('b'));
    return duet.archive_hour(v.hour);
end
$$;
select date_trunc('hour', now(), 'UTC') + interval '12 days' as late \gset
update duet.archive_gate set closed_until = date_trunc('hour', now(), 'UTC');
select duet.partition_make(:'late') as made \gset
set local search_path = public;
select is(pg_temp.make_archive(:'late'), duet.archive_hour(:'late'::timestamptz - interval '168 hours'),
    'after a long sleep the first archive is that of the oldest hour that can be read');
update duet.archive_gate set closed_until = :'late'::timestamptz - interval '3 days';
select is(pg_temp.make_archive(:'late'), duet.archive_hour(:'late'::timestamptz - interval '3 days'),
    'and those of days on which nothing ran are made as well');
delete from duet.archive_chunk;
delete from duet.archive;
update duet.archive_gate set closed_until = :'over'::timestamptz;

-- ---- what is listed, and what has expired ----

insert into duet.archive (hour, closed_at, messages, bytes, sha256, gzip_bytes, gzip_sha256)
select :'hour'::timestamptz + h * interval '1 hour', now(), h, 100 + h, sha256('a'), 50 + h, sha256('b')
from generate_series(0, 3) as h;
insert into duet.archive (hour) values (:'hour'::timestamptz + interval '4 hours');

select results_eq(
    format('select messages, bytes, gzip_bytes, sha256, href from duet.archive_list(null, null, null, 200)'),
    format($$select h::bigint, 100 + h::bigint, 50 + h::bigint, encode(sha256('a'), 'hex'),
             '/v1/archives/' || to_char((%L::timestamptz + h * interval '1 hour') at time zone 'UTC', 'YYYY-MM-DD"T"HH24')
             from generate_series(0, 3) as h$$, :'hour'),
    'closed hours are listed, oldest first, and not the one that is about to be');
select is(
    (select array_agg(messages) from duet.archive_list(:'over', :'over'::timestamptz + interval '2 hours', null, 200)),
    array[1, 2]::bigint[], 'since one, and until another');
select is(
    (select array_agg(n.messages) from duet.archive_list(null, null, null, 2) as l
     cross join lateral duet.archive_list(null, null, l.cursor, 2) as n where l.messages = 1),
    array[2, 3]::bigint[], 'the next page goes on behind the last row');
select is((select outcome from duet.archive_list(null, null, 'x', 2)), 'cursor_invalid', 'a strange cursor is refused');
select is((select array_agg(outcome || coalesce(hour, '')) from duet.archive_list(now(), null, null, 2)), '{ok}'::text[],
    'of nothing there is one empty row');

select is((select (outcome, bytes, sha256, digest, gzip_bytes, gzip_digest)::text from duet.archive_get(:'over')),
    ('ok'::text, 101::bigint, encode(sha256('a'), 'hex'), encode(sha256('a'), 'base64'), 51::bigint,
     encode(sha256('b'), 'base64'))::text, 'a closed hour is known by its digests');
select is((select outcome from duet.archive_get(:'hour'::timestamptz + interval '4 hours')), 'hour_not_closed', 'one that is about to be is not closed');
select is((select outcome from duet.archive_get(now() + interval '1 year')), 'hour_not_closed', 'nor one of the future');
select is((select outcome from duet.archive_get(:'hour'::timestamptz - interval '1 hour')), 'archive_unknown', 'before the first there is none');

select is((select outcome from duet.archive_get(:'hour', :'over'::timestamptz + interval '7 days' - interval '1 microsecond')), 'ok',
    'an archive is there as long as one of its messages');
select is((select outcome from duet.archive_get(:'hour', :'over'::timestamptz + interval '7 days')), 'archive_expired', 'and no longer');
select is((select count(*) from duet.archive_list(null, null, null, 200, :'over'::timestamptz + interval '7 days')), 3::bigint,
    'then it is not listed');
update duet.setting set roaming_days = 1;
select is((select outcome from duet.archive_get(:'hour')), 'archive_expired', 'the setting counts');
update duet.setting set roaming_days = 7;

-- ---- pieces ----

delete from duet.archive_chunk;
select from duet.archive_add(:'hour', 0, 0, 300, 'first');
select from duet.archive_add(:'hour', 300, 5, 20, 'last');
create function pg_temp.piece(p_hour timestamptz, p_gzip boolean, p_position bigint) returns text
language sql as $$
    select begins_at || ' ' || bytes || ' ' || encode(content, 'escape') from duet.archive_chunk_get(p_hour, p_gzip, p_position)
$$;
select is(pg_temp.piece(:'hour', false, 0), '0 300 first', 'the first piece');
select is(pg_temp.piece(:'hour', false, 299), '0 300 first', 'to its end');
select is(pg_temp.piece(:'hour', false, 300), '300 20 last', 'the next one');
select is(pg_temp.piece(:'hour', true, 4), '0 300 first', 'the first compressed piece');
select is(pg_temp.piece(:'hour', true, 5), '5 20 last', 'and the next one');
select is(pg_temp.piece(:'over', true, 5), null, 'of another hour there is none');

-- ---- what it holds ----

select is(pg_temp.held(:'hour', :'over'), '', 'an hour without messages is empty');
select from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_elements => pg_temp.text('before'),
    p_now => :'hour'::timestamptz - interval '1 microsecond');
select from pg_temp.send(array[:bob]::bigint[], array[:ann]::bigint[], p_elements => pg_temp.text('last'),
    p_now => :'over'::timestamptz - interval '1 microsecond');
select from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_elements => pg_temp.text('first'),
    p_now => :'hour');
select from pg_temp.send(array[:bob]::bigint[], array[:ann]::bigint[], p_elements => pg_temp.text('after'),
    p_now => :'over');
select is(pg_temp.held(:'hour', :'over'), 't-ann>t-bob first, t-bob>t-ann last',
    'a message belongs to the hour in which it was sent, to the microsecond');

select from pg_temp.send(array[:bob]::bigint[], array[:ann]::bigint[], p_elements => pg_temp.text('alone'),
    p_options => array[14], p_now => :'hour'::timestamptz + interval '10 minutes');
select is(pg_temp.held(:'hour', :'over'), 't-ann>t-bob first, t-bob>t-ann alone, t-bob>t-ann last',
    'each is there once, also when the sender kept none');

-- Of one moment.
select from pg_temp.send(array[:ann, :ann, :cy]::bigint[], array[:cy, :bob, :bob]::bigint[],
    p_elements => pg_temp.text('1') || pg_temp.text('2') || pg_temp.text('3'),
    p_now => :'hour'::timestamptz + interval '20 minutes');
select is(pg_temp.held(:'hour'::timestamptz + interval '20 minutes', :'hour'::timestamptz + interval '21 minutes'),
    't-ann>t-bob 2, t-cy>t-bob 3, t-ann>t-cy 1', 'those of one moment stand by receiver and number');
select is((select count(*) from duet.archive_fetch(10)), 0::bigint, 'behind the last there is nothing');

select from pg_temp.send(array[:ann, :ann, :ann]::bigint[], array[:bob, :bob, :bob]::bigint[],
    p_elements => pg_temp.text('gone') || pg_temp.text('short') || pg_temp.text('never'), p_store_seconds => array[60, 86400 * 3, 0],
    p_now => :'hour'::timestamptz + interval '30 minutes');
select is(pg_temp.held(:'hour'::timestamptz + interval '30 minutes', :'hour'::timestamptz + interval '31 minutes'),
    't-ann>t-bob short', 'what has expired when it is made is not in it');
select from duet.message_import(
    json_build_array(json_build_object('from', 't-ann', 'to', 't-bob', 'text', 'import',
        'sent_at', :'hour'::timestamptz + interval '40 minutes')), 'backend');
select is(pg_temp.held(:'hour'::timestamptz + interval '40 minutes', :'hour'::timestamptz + interval '41 minutes'), '',
    'nor is what was imported');
select count(*) from duet.mailbox where sent_at = :'hour'::timestamptz + interval '40 minutes' \gset import_
select is(:import_count, 2, 'which is there');

-- Changed, recalled and removed.
create temporary table sent as
select * from pg_temp.send(array[:ann, :ann, :ann]::bigint[], array[:bob, :bob, :bob]::bigint[],
    p_elements => pg_temp.text('old') || pg_temp.text('secret') || pg_temp.text('removed'),
    p_now => :'hour'::timestamptz + interval '50 minutes');
select from sent,
    duet.message_edit(receiver, receiver_seq, sender, sender_seq, sent_at, nonce, (pg_temp.text('new'))[1], null, null)
 where item = 1;
select from sent, duet.message_recall(receiver, receiver_seq, sender, sender_seq, sent_at, nonce, null) where item = 2;
update duet.mailbox as m set deleted = true from sent as s
where s.item = 3 and m.owner = s.receiver and m.seq = s.receiver_seq and m.sent_at = s.sent_at;
select is(pg_temp.held(:'hour'::timestamptz + interval '50 minutes', :'hour'::timestamptz + interval '51 minutes'),
    't-ann>t-bob new, t-ann>t-bob recalled, t-ann>t-bob removed',
    'edits and recalls are in it; what one side has removed is there all the same');

-- Notifications.
insert into duet.notification (sender, created_by, kind, options, store_seconds, elements, state, send_at, created_at)
values (:ann, 'backend', 2, 14, 604800, (pg_temp.text('to all'))[1], 'done', now(), now())
returning notification_no \gset
insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, target_seq)
values (:bob, 1000, :'hour'::timestamptz + interval '55 minutes', :ann, 0, 1, 2, 14, false, :notification_no);
select is(pg_temp.held(:'hour'::timestamptz + interval '55 minutes', :'hour'::timestamptz + interval '56 minutes'),
    't-ann>t-bob to all', 'a copy of a notification is a message like others');

-- Who is no more.
select from duet.user_delete('t-bob');
select is(pg_temp.held(:'hour', :'over'),
    't-ann>- first, ->t-ann alone, t-ann>- 2, t-cy>- 3, t-ann>t-cy 1, t-ann>- short, t-ann>- new, t-ann>- recalled, t-ann>- removed, ->t-ann last',
    'of messages to who was deleted the sender''s copies are there');

-- ---- the gate ----

-- Tests choose times, so one must be left to the clock.
select is(duet.message_time('2026-01-01T00:00:00Z'), '2026-01-01T00:00:00Z'::timestamptz, 'a time that is given is taken');
select ok(duet.message_time(null) between clock_timestamp() - interval '1 minute' and clock_timestamp(), 'else it is that of the clock');
update duet.archive_gate set closed_until = clock_timestamp() + interval '30 minutes';
select is(duet.message_time(null), (select closed_until from duet.archive_gate), 'but never in an hour that is closed');
select is((select sent_at from pg_temp.send(array[:ann]::bigint[], array[:cy]::bigint[], p_now => null)),
    (select closed_until from duet.archive_gate), 'so are messages stored that come when the clock was put back');
update duet.archive_gate set closed_until = clock_timestamp() + interval '25 hours';
select ok(duet.message_time(null) < clock_timestamp(), 'a clock that was ahead by more than a day is not followed');

select * from finish();
rollback;
