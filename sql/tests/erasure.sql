begin;
\ir helpers.psql
select plan(38);

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob,
    pg_temp.make_user('t-cid', 'Cid') as cid \gset
create function pg_temp.parted(p_owner bigint) returns text
language sql as $$
    select string_agg(m.peer || ' ' || m.details, ', ' order by m.seq) from duet.mailbox as m
    where m.owner = p_owner and m.kind = 23
$$;

-- What Ann owns, and what others have of Ann.
select is(count(*), 30::bigint, 'messages are sent both ways')
from pg_temp.send(
    array(select case when i % 3 = 0 then :bob else :ann end from generate_series(1, 30) as i),
    array(select case when i % 3 = 0 then :ann else :bob end from generate_series(1, 30) as i),
    p_key => array(select 'k' || i from generate_series(1, 30) as i),
    p_hash => array(select '\x01'::bytea from generate_series(1, 30) as i),
    p_caller => array(select case when i % 3 = 0 then 't-ann' else E'user\x1ft-ann' end from generate_series(1, 30) as i));
update duet.contact set friend = true, friend_since = now(), remark = 'r', groups = '{g}', custom = '{"a": "b"}'
where (owner, peer) in ((:ann, :bob), (:bob, :ann));
insert into duet.contact (owner, peer, blocked, blocked_at, created_at) values (:cid, :ann, true, now(), now()),
    (:ann, :cid, true, now(), now()), (:bob, :cid, true, now(), now());
insert into duet.friend_request (owner, outgoing, peer, created_at, expires_at)
values (:ann, true, :cid, now(), now()), (:cid, false, :ann, now(), now()),
    (:ann, false, :bob, now(), now()), (:bob, true, :ann, now(), now()), (:bob, true, :cid, now(), now());
insert into duet.friend_group (owner, name, created_at) values (:ann, 'g', now()), (:bob, 'g', now());
insert into duet.user_tag (owner, tag, created_at) values (:ann, 'a', now()), (:ann, 'b', now()), (:bob, 'a', now());
insert into duet.request_key (caller, key, operation, request_hash, created_at, reply)
values (E'user\x1ft-ann', 'k', 'x', '\x', now(), '{}'), ('t-ann', 'k', 'x', '\x', now(), '{}');

select (duet.device_put('t-ann', 'phone', 'ios', null, null, null, null, null)).outcome \g /dev/null
insert into duet.stream (owner, stream_id, opened_at, open_until) values (:ann, 1, now(), now());

select is((select outcome from duet.user_delete('t-x')), 'user_unknown', 'who is not there cannot be deleted');
select is((select outcome from duet.erasure_get('1')), 'erasure_unknown', 'there is no receipt yet');
select results_eq(
    $$select outcome, "user", removed, finished_at from duet.user_delete('t-ann')$$,
    $$values ('ok', 't-ann', '{"app_user": 1, "mailbox_head": 1}'::jsonb, null::timestamptz)$$, 'a user is deleted');
select is((select outcome from duet.user_get('t-ann')), 'user_unknown', 'and gone at once');
select is((select outcome from duet.event_list('t-ann', 0, 10)), 'user_unknown', 'for reading');
select is(outcome, 'receiver_unknown', 'and for sending') from pg_temp.send(array[:bob]::bigint[], array[:ann]::bigint[]);
select is(outcome, 'sender_unknown', 'and for sending')
from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[]);

select results_eq(
    $$select "from", "to", sender_profile_nick, sender_profile_avatar_url, sender_profile_deleted
      from duet.message_list('t-bob', null, null, null, 'oldest', null, 3)$$,
    $$values (null, 't-bob', '', '', true), (null, 't-bob', '', '', true), ('t-bob', null, 'Bob', '', false)$$,
    'others keep their messages, which do not name the user any more');
select results_eq(
    $$select message_from, message_to, message_sender_profile_nick, message_sender_profile_deleted
      from duet.event_list('t-bob', 1, 2)$$,
    $$values (null, 't-bob', '', true), ('t-bob', null, 'Bob', false)$$, 'nor do entries');
select results_eq(
    $$select g.outcome, g."from", g."to", g.sender_profile_nick, g.sender_profile_deleted
      from duet.message_list('t-bob', null, null, null, 'oldest', null, 3) as m,
      lateral duet.message_get(m.id_receiver, m.id_receiver_seq, m.id_sender, m.id_sender_seq, m.id_sent_at, m.id_nonce) as g$$,
    $$values ('ok', null, 't-bob', '', true), ('ok', null, 't-bob', '', true), ('ok', 't-bob', null, 'Bob', false)$$,
    'nor does a message by its id');

-- Piece by piece.
select id from duet.user_delete('t-ann') \gset
select is(:'id', (select erasure_id::text from duet.erasure), 'deleting again answers with the same receipt');
select is((select outcome from duet.erasure_continue('x', 7)), 'erasure_unknown', 'what is no receipt is not continued');
select is((select count(*) from duet.erasure_continue(:'id', 7) where finished_at is null), 1::bigint,
    'a small piece is not all');
select cmp_ok((select count(*) from duet.mailbox where owner = :ann), '>=', 23::bigint,
    'no more rows are removed than were asked for');
create temporary table piece as select 1 as n;
do $$
begin
    for i in 1 .. 20 loop
        exit when (select c.finished_at from duet.erasure_continue((select erasure_id::text from duet.erasure), 7) as c)
            is not null;
        insert into piece values (i);
    end loop;
end
$$;
select cmp_ok((select count(*) from piece), '>', 3::bigint, 'all is removed in pieces');
select results_eq(
    $$select outcome, "user", removed, finished_at is not null from duet.erasure_get((select erasure_id::text from duet.erasure))$$,
    $$values ('ok', 't-ann', '{"app_user": 1, "mailbox_head": 1, "mailbox": 30, "contact": 2, "friend_request": 4,
        "friend_group": 1, "conversation_group": 0, "message_extension": 0, "user_tag": 2, "device": 1, "idempotency_key": 20, "request_key": 1}'::jsonb, true)$$,
    'the receipt counts all that was removed');
select is((select removed from duet.erasure_continue(:'id', 100)), (select removed from duet.erasure),
    'once finished, nothing more is removed');

select is(n, 0::bigint, 'nothing of the user is left in ' || name)
from (
    select 'mailbox', count(*) from duet.mailbox where owner = :ann
    union all select 'contact', count(*) from duet.contact where owner = :ann
    union all select 'friend_request', count(*) from duet.friend_request where owner = :ann or peer = :ann
    union all select 'friend_group', count(*) from duet.friend_group where owner = :ann
    union all select 'user_tag', count(*) from duet.user_tag where owner = :ann
    union all select 'device', count(*) from duet.device where owner = :ann
    union all select 'stream', count(*) from duet.stream where owner = :ann
    union all select 'keys', count(*) from duet.idempotency_key where caller = E'user\x1ft-ann'
) as t(name, n);
select results_eq(
    format('select friend, blocked, friend_since, remark, groups, custom from duet.contact where peer = %s', :ann),
    $$values (false, false, null::timestamptz, '', '{}'::text[], '{}'::jsonb), (false, false, null, '', '{}', '{}')$$,
    'nobody has the user as a friend, or has blocked the user');
select results_eq(
    format('select (select count(*) from duet.mailbox where owner = %1$s), (select count(*) from duet.contact where owner = %1$s),
        (select count(*) from duet.friend_request where owner = %1$s), (select count(*) from duet.user_tag where owner = %1$s)', :bob),
    $$values (31::bigint, 2::bigint, 1::bigint, 1::bigint)$$, 'what others own stays');
select is(pg_temp.parted(:bob), :ann || ' {"deleted_user" : "t-ann"}', 'devices of a friend are told whom they have lost');
select is(pg_temp.parted(:cid), null, 'who was no friend is told nothing');
select is((select count(*) from duet.request_key where caller = 't-ann'), 1::bigint,
    'and so do the keys of a service of the same name');
select is(pg_temp.with_gaps(), 0::bigint, 'no mailbox has gaps');

-- Made again.
select pg_temp.make_user('t-ann', 'New') as new \gset
select isnt(:new::bigint, :ann::bigint, 'a user made again has another number');
select is((select count(*) from duet.message_list('t-ann', null, null, null, 'newest', null, 10) where id_nonce is not null),
    0::bigint, 'and no messages');
select results_eq($$select "from", sender_profile_deleted from duet.message_list('t-bob', null, null, null, 'oldest', null, 1)$$,
    $$values (null::text, true)$$, 'nor is this user the sender of old ones');
select is((duet.friend_put('t-bob', 't-ann', false, null, null, null)).outcome, 'ok', 'this user has a friend');
select id as again from duet.user_delete('t-ann') \gset
select cmp_ok(:'again'::bigint, '>', :'id'::bigint, 'deleting again has a receipt of its own');
select pg_temp.make_user('t-ann', 'Third') as third \gset
select (duet.friend_put('t-bob', 't-ann', false, null, null, null)).outcome, (duet.erasure_continue(:'again', 100)).outcome \g /dev/null
select is(pg_temp.parted(:bob), :ann || ' {"deleted_user" : "t-ann"}',
    'who is the friend of a third one by now is not told to have lost this one');

select * from finish();
rollback;
