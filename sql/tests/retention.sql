-- What is too old is hidden to the second, whether or not a job has run.
begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset

create function pg_temp.history(p_now timestamptz, p_user text default 't-bob') returns text
language sql as $$
    select coalesce(string_agg(case when m."to" = p_user then m.id_receiver_seq else m.id_sender_seq end::text, ' '), '')
    from duet.message_list(p_user, null, null, null, 'oldest', null, 50, p_now) as m
$$;
create function pg_temp.events(p_now timestamptz, p_user text default 't-bob') returns text
language sql as $$
    select coalesce(string_agg(e.seq::text, ' '), '') from duet.event_list(p_user, 0, 50, p_now => p_now) as e
$$;
create function pg_temp.offline(p_now timestamptz, p_owner bigint, p_after bigint default 0, p_limit bigint default 50) returns text
language sql as $$
    select coalesce(string_agg(format('%s(%s)', o.seq, o.skipped), ' '), '') from duet.offline_list(p_owner, p_after, p_limit, p_now) as o
$$;

-- One message, read at some moments after it was sent.
select now() - interval '3 hours' as sent \gset
select count(*) as n from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_now => :'sent') \gset

select unnest(array[
    is(pg_temp.history(:'sent'::timestamptz + age), expected, 'roaming of 7 days: history after ' || age),
    is(pg_temp.events(:'sent'::timestamptz + age), expected, 'roaming of 7 days: events after ' || age),
    is(pg_temp.offline(:'sent'::timestamptz + age, :bob), case when expected = '1' then '1(0)' else '' end,
       'offline of 7 days after ' || age)
])
from (values (interval '0', '1'), (interval '6 days 23:59:59', '1'), (interval '7 days', '1'),
             (interval '7 days 00:00:01', ''), (interval '8 days', '')) as v(age, expected);

-- The setting, down and up again.
update duet.setting set roaming_days = 2;
select is(pg_temp.history(:'sent'::timestamptz + age), expected, 'roaming of 2 days after ' || age)
from (values (interval '1 day 23:59:59', '1'), (interval '2 days 00:00:01', '')) as v(age, expected);
select is(pg_temp.offline(:'sent'::timestamptz + interval '2 days 00:00:01', :bob), '',
    'no device is given what the history hides');
update duet.setting set roaming_days = 7, offline_days = 2;
select is(pg_temp.history(:'sent'::timestamptz + interval '6 days 23:59:59'), '1', 'raised again it shows what is still there');
select is(pg_temp.offline(:'sent'::timestamptz + age, :bob), expected, 'offline of 2 days after ' || age)
from (values (interval '1 day 23:59:59', '1(0)'), (interval '2 days 00:00:01', '')) as v(age, expected);
update duet.setting set offline_days = 7;

-- Whatever is left of a message's day.
select pg_temp.make_user('t-cid') as cid, pg_temp.make_user('t-dan') as dan \gset
select date_trunc('day', now()) as midnight \gset
select count(*) as n from pg_temp.send(array[:cid]::bigint[], array[:dan]::bigint[],
    p_now => :'midnight'::timestamptz - interval '1 second') \gset
select count(*) as n from pg_temp.send(array[:cid]::bigint[], array[:dan]::bigint[], p_now => :'midnight') \gset
select is(pg_temp.history(:'midnight'::timestamptz + age, 't-dan'), expected, 'at the border of days: ' || age)
from (values (interval '6 days 23:59:58', '1 2'), (interval '7 days', '2'), (interval '7 days 00:00:01', '')) as v(age, expected);

-- store_seconds
select pg_temp.make_user('t-eve') as eve, pg_temp.make_user('t-fay') as fay \gset
select count(*) as n from pg_temp.send(array[:eve, :eve]::bigint[], array[:fay, :fay]::bigint[],
    p_store_seconds => array[3600, 0], p_now => :'sent') \gset
select unnest(array[
    is(pg_temp.history(:'sent'::timestamptz + age, 't-fay'), expected, 'store_seconds of 3600 after ' || age),
    is(pg_temp.events(:'sent'::timestamptz + age, 't-fay'), expected, 'events as well'),
    is(pg_temp.offline(:'sent'::timestamptz + age, :fay), case when expected = '1' then '1(0)' else '' end, 'and for devices')
])
from (values (interval '59 minutes 59 seconds', '1'), (interval '1 hour', ''), (interval '1 hour 1 second', '')) as v(age, expected);

-- A clock that steps back hides nothing.
select is(pg_temp.history(:'sent'::timestamptz - interval '20 minutes'), '1', 'a clock that steps back hides nothing');
select is(pg_temp.events(:'sent'::timestamptz - interval '20 minutes'), '1', 'nor from devices');
select is(pg_temp.offline(:'sent'::timestamptz - interval '20 minutes', :bob), '1(0)', 'nor offline');

-- The newest offline_per_contact of each peer.
select pg_temp.make_user('t-gus') as gus, pg_temp.make_user('t-hal') as hal, pg_temp.make_user('t-ida') as ida \gset
update duet.setting set offline_per_contact = 3;
select count(*) as n from pg_temp.send(
    array[:hal, :hal, :ida, :gus, :hal, :hal, :ida]::bigint[], array[:gus, :gus, :gus, :hal, :gus, :gus, :gus]::bigint[]) \gset
select is(pg_temp.offline(now(), :gus), '3(2) 4(0) 5(0) 6(0) 7(0)', 'the newest 3 with each peer, sent or received, are given');
select is(pg_temp.offline(now(), :gus, 4), '5(0) 6(0) 7(0)', 'behind the device''s position');
select is(pg_temp.offline(now(), :gus, 0, 2), '3(2) 4(0)', 'no more than asked for');
select is(duet.offline_floor(:gus, :hal, now()), 4::bigint, 'the floor of a peer is known');
select is(duet.offline_floor(:gus, :ida, now()), 0::bigint, 'it is 0 where there are not so many');
select is(pg_temp.history(now(), 't-gus'), '1 2 3 4 5 6 7', 'all stay in the history');
select duet.entry_add(array[:gus]::bigint[], array[:hal]::bigint[], 26, now()) as added \gset
select is(pg_temp.offline(now(), :gus), '3(2) 4(0) 5(0) 6(0) 7(0) 8(0)', 'entries that are no messages do not count, and are given');
update duet.setting set offline_per_contact = 100;
select is(pg_temp.offline(now(), :gus), '1(0) 2(0) 3(0) 4(0) 5(0) 6(0) 7(0) 8(0)', 'a setting that is raised brings all back');

select * from finish();
rollback;
