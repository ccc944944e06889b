begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob,
       pg_temp.make_user('t-cat', 'Cat') as cat, pg_temp.make_user('t-dan', 'Dan') as dan \gset

create function pg_temp.say(p_from bigint, p_to bigint, p_text text, p_options bigint default 15, p_store bigint default 604800)
returns void
language sql as $$
    select pg_temp.send(array[p_from], array[p_to], p_elements => array['["' || p_text || '"]'],
                        p_options => array[p_options], p_store_seconds => array[p_store])
$$;
create function pg_temp.unread(p_user text, p_now timestamptz default now()) returns text
language sql as $$
    select concat_ws(' ', max(u.outcome), max(u.total), string_agg(u.peer || ':' || u.unread, ' ' order by u.peer))
    from duet.unread_get(p_user, p_now) as u
$$;
create function pg_temp.listed(p_user text, p_now timestamptz default now()) returns text
language sql as $$
    select string_agg(concat_ws(' ', c.outcome, c.peer, c.last_message_elements, c.unread), ', ')
    from duet.conversation_list(p_user, p_now) as c
$$;
create function pg_temp.mark(p_user text, p_peer text, p_number bigint, p_at timestamptz default null) returns text
language sql as $$
    select concat_ws(' ', r.outcome, r.pointer, r.unread)
    from (select) as one
    left join duet.message_entry as e
        on e.owner = (select user_no from duet.app_user where user_id = p_user) and e.seq = p_number,
    lateral duet.conversation_read(p_user, p_peer, e.id_receiver, e.id_receiver_seq, e.id_sender, e.id_sender_seq,
                                   e.id_sent_at, e.id_nonce, p_at) as r
$$;
create function pg_temp.events(p_user text) returns text
language sql as $$
    select string_agg(concat_ws(' ', e.kind, e.peer, e.details), ', ' order by e.seq)
    from duet.event_list(p_user, 0, 50) as e
    where e.kind <> 'message'
$$;

select is(pg_temp.unread('t-ann'), 'ok 0', 'a new user has read everything');
select is(pg_temp.unread('t-nobody'), 'user_unknown', 'a user who is not there is unknown');
select is(pg_temp.listed('t-ann'), 'ok', 'and has no conversations');
select is(pg_temp.listed('t-nobody'), 'user_unknown', 'as nobody has');

select pg_temp.say(:bob, :ann, 'b1'), pg_temp.say(:bob, :ann, 'b2'), pg_temp.say(:ann, :bob, 'a3'),
       pg_temp.say(:cat, :ann, 'c4'), pg_temp.say(:bob, :ann, 'b5'), pg_temp.say(:bob, :ann, 'silent', 13) \g /dev/null
select is(pg_temp.unread('t-ann'), 'ok 4 t-bob:3 t-cat:1', 'what came in and is to be counted is unread');
select is(pg_temp.unread('t-bob'), 'ok 1 t-ann:1', 'what one has sent is not');
select is(pg_temp.unread('t-ann', now() + interval '8 days'), 'ok 0', 'nor what is not kept any more');
select is(pg_temp.listed('t-ann'), 'ok t-bob ["silent"] 3, ok t-cat ["c4"] 1', 'conversations are listed by their newest message');

-- ---- reading ----

select is(pg_temp.mark('t-ann', 't-bob', 2), 'ok 1', 'a conversation is read up to a message');
select ok(pg_temp.events('t-ann') ~ '^read t-bob {"up_to" : "[0-9TZ:.-]+"}$', 'one''s own devices learn of it');
select ok(pg_temp.events('t-bob') ~ '^peer_read t-ann {"up_to" : "[0-9TZ:.-]+"}$', 'and the peer''s');
select is(pg_temp.mark('t-ann', 't-bob', 2), 'ok 1', 'again is nothing new');
select is(pg_temp.mark('t-ann', 't-bob', 1), 'ok 1', 'the mark does not go back');
select is(pg_temp.mark('t-ann', 't-bob', 3), 'ok 1', 'nor do one''s own messages move it');
select is((select count(*) from duet.mailbox where kind in (19, 20)), 2::bigint, 'where it does not move nobody learns of it');
select is(pg_temp.mark('t-ann', 't-bob', 4), 'message_unknown /up_to', 'a message with another peer is unknown');
select is(pg_temp.mark('t-ann', 't-bob', 99), 'message_unknown /up_to', 'as one is that is not there');
select is(pg_temp.mark('t-ann', 't-nobody', 4), 'user_unknown /peer', 'a peer who is not there is unknown');
select is(pg_temp.mark('t-ann', 't-dan', null, now()), 'ok 0', 'there is nothing to read from who never wrote');
select is(pg_temp.mark('t-ann', 't-bob', null, now() - interval '1 hour'), 'ok 1', 'a time before does not move the mark');
select is(pg_temp.mark('t-ann', 't-bob', null, now()), 'ok 0', 'a conversation is read up to a time');
select is(pg_temp.unread('t-ann'), 'ok 1 t-cat:1', 'what is read is not counted');
select results_eq(
    $$select read_up_to, peer_read_up_to from duet.conversation_get('t-ann', 't-bob')
      union all select read_up_to, peer_read_up_to from duet.conversation_get('t-bob', 't-ann')$$,
    $$values (now(), null), (null, now())$$,
    'both sides know how far it is read');

-- ---- what is not counted ----

select pg_temp.say(:dan, :ann, 'd', 15, 60), pg_temp.say(:dan, :ann, 'e'), pg_temp.say(:dan, :ann, 'f') \g /dev/null
select is(pg_temp.unread('t-ann'), 'ok 4 t-cat:1 t-dan:3', 'three more');
select is(pg_temp.unread('t-ann', now() + interval '1 min'), 'ok 3 t-cat:1 t-dan:2', 'without what has expired');
update duet.mailbox set recalled = true where owner = :ann and elements = '["e"]';
update duet.mailbox set deleted = true where owner = :ann and elements = '["f"]';
select is(pg_temp.unread('t-ann'), 'ok 2 t-cat:1 t-dan:1', 'without what is recalled or removed');
select is(pg_temp.listed('t-ann'), 'ok t-dan ["e"] 1, ok t-bob ["silent"] 0, ok t-cat ["c4"] 1', 'what is removed is no last message');
select pg_temp.say(:cat, :ann, 'quiet', 11) \g /dev/null
select is(pg_temp.listed('t-ann'), 'ok t-dan ["e"] 1, ok t-bob ["silent"] 0, ok t-cat ["c4"] 2', 'nor what shall not update recents');

-- ---- pinned, muted, removed ----

select results_eq(
    $$select outcome, peer, pinned, muted from duet.conversation_patch('t-ann', 't-cat', '{"pinned": true}')$$,
    $$values ('ok', 't-cat', true, false)$$, 'a conversation is pinned');
select is(pg_temp.listed('t-ann'), 'ok t-cat ["c4"] 2, ok t-dan ["e"] 1, ok t-bob ["silent"] 0', 'and stands above the others');
select results_eq(
    $$select pinned, muted from duet.conversation_patch('t-ann', 't-cat', '{"muted": true}')$$,
    $$values (true, true)$$, 'what a patch does not name stays');
select is((select count(*) from duet.mailbox where kind = 29), 2::bigint, 'the own devices learn of both');
select is((select outcome from duet.conversation_patch('t-ann', 't-cat', '{"muted": true}')), 'ok', 'the same again');
select is((select count(*) from duet.mailbox where kind = 29), 2::bigint, 'is no news');
select results_eq(
    $$select pinned, muted from duet.conversation_patch('t-ann', 't-cat', '{"pinned": null, "muted": null}')$$,
    $$values (false, false)$$, 'null is the default');
select results_eq(
    $$select pinned, muted from duet.conversation_patch('t-bob', 't-dan', '{"pinned": true}')$$,
    $$values (true, false)$$, 'one may be pinned before there is a message');
select is(pg_temp.listed('t-bob'), 'ok t-dan 0, ok t-ann ["silent"] 1', 'and is listed');

select is((select outcome from duet.conversation_delete('t-ann', 't-bob', false)), 'ok', 'a conversation is removed from the list');
select is(pg_temp.listed('t-ann'), 'ok t-dan ["e"] 1, ok t-cat ["c4"] 2', 'and is not there');
select is((select outcome from duet.conversation_delete('t-ann', 't-bob', false)), 'ok', 'twice');
select ok(pg_temp.events('t-ann') ~ 'conversation t-bob {"removed" : true, "messages_removed" : false}$', 'its devices learn of it');
select is((select count(*) from duet.message_list('t-ann', 't-bob', null, null, 'newest', null, 50)), 5::bigint, 'its messages stay');
select pg_temp.say(:bob, :ann, 'again') \g /dev/null
select is(pg_temp.listed('t-ann'), 'ok t-bob ["again"] 1, ok t-dan ["e"] 1, ok t-cat ["c4"] 2', 'until a new message brings it back');
select is((select outcome from duet.conversation_delete('t-ann', 't-bob', true)), 'ok', 'it is removed with its messages');
create function pg_temp.texts() returns text
language sql as $$
    select string_agg(elements, ' ') from duet.message_list('t-ann', 't-bob', null, null, 'oldest', null, 50)
$$;
select pg_temp.say(:bob, :ann, 'later') \g /dev/null
select after, up_to from duet.conversation_clear('t-ann', 't-bob', null, null, 4) \gset
select is(pg_temp.texts(), '["silent"] ["again"] ["later"]', 'slice by slice, the oldest first');
select is(after, null, 'up to the end') from duet.conversation_clear('t-ann', 't-bob', :after, :up_to, 50);
select is(pg_temp.texts(), '["later"]', 'and no further: what came meanwhile stays');
select is(pg_temp.unread('t-ann'), 'ok 4 t-bob:1 t-cat:2 t-dan:1', 'and what is gone is not unread');
select is(outcome, 'ok', 'removed again') from duet.conversation_delete('t-ann', 't-bob', true);
select is(after, null, 'the rest is gone') from duet.conversation_clear('t-ann', 't-bob', null, null, 50);
select is(pg_temp.texts(), null, 'and nothing can be read');
select pg_temp.events('t-ann') as before \gset
select is(outcome, 'ok', 'once more') from duet.conversation_delete('t-ann', 't-bob', true);
select is(pg_temp.events('t-ann'), :'before', 'which is nothing new');
select is((select count(*) from duet.message_list('t-bob', 't-ann', null, null, 'newest', null, 50)), 7::bigint, 'they go from one side alone');
select results_eq(
    $$select outcome, pointer from duet.conversation_delete('t-ann', 't-nobody', false)
      union all select outcome, pointer from duet.conversation_patch('t-nobody', 't-ann', '{}')
      union all select outcome, pointer from duet.conversation_get('t-ann', 't-nobody')$$,
    $$values ('user_unknown', '/peer'), ('user_unknown', '/user'), ('user_unknown', '/peer')$$,
    'users who are not there are unknown');

-- ---- beyond the tail of the log ----

select count(*) as sent from pg_temp.send(
    array_fill(:cat::bigint, array[600]), array_fill(:ann::bigint, array[600]), p_options => array_fill(11::bigint, array[600])) \gset
select is(pg_temp.listed('t-ann'), 'ok t-dan ["e"] 1, ok t-cat ["c4"] 602', 'where the tail does not do, contacts are looked at');
update duet.setting set recent_contacts = 1;
select is(pg_temp.listed('t-ann'), 'ok t-dan ["e"] 1', 'recent_contacts is the most that is listed');
select count(*) as sent from pg_temp.send(
    array_fill(:cat::bigint, array[600]), array_fill(:ann::bigint, array[600])) \gset
select is(pg_temp.unread('t-ann'), 'ok 1001 t-cat:1000 t-dan:1', 'no more than 1000 of a peer are counted');
select is(pg_temp.with_gaps(), 0::bigint, 'no mailbox has a gap');

-- ---- what was imported ----

select pg_temp.make_user('t-eve') as eve, pg_temp.make_user('t-fay') as fay \gset
select pg_temp.say(:eve, :fay, 'today') \g /dev/null
select is((select string_agg(status::text, ' ') from duet.message_import(json_build_array(
    json_build_object('from', 't-eve', 'to', 't-fay', 'text', 'old', 'sent_at', now() - interval '2 days')), 'mover')),
    '201', 'a message of the past has a newer number than that of today');
select is(pg_temp.unread('t-fay'), 'ok 1 t-eve:1', 'it is not unread');
select is(pg_temp.listed('t-fay'), 'ok t-eve ["today"] 1', 'and no last message');
select is(pg_temp.mark('t-fay', 't-eve', 2), 'ok 1', 'reading up to it stands for its time');
select is(pg_temp.mark('t-fay', 't-eve', 1), 'ok 0', 'so that what is newer is still to be read');
select is((select string_agg(m.elements::json #>> '{0,text}', ' ') from duet.message_list('t-fay', null, null, null, 'oldest', null, 5) as m
           where m.elements like '%old%'), 'old', 'it is in the history');
select is((select count(*) from duet.event_list('t-fay', 0, 50) where kind = 'message'), 1::bigint, 'and no news');

-- ---- what the list tells is what the mailbox holds, whether the tail has it or not ----

update duet.setting set recent_contacts = 100;
select pg_temp.make_user('t-owner') as owner \gset
create temporary table other as select n, pg_temp.make_user('t-other' || n) as peer from generate_series(1, 8) as n;
select setseed(0.5) is not null as seed \g /dev/null
-- 1400 messages, of which the tail holds the last 500: with peers 7 and 8 there are only older ones.
select count(*) from (
    select row_number() over () as i, 1 + floor(random() * case when n < 800 then 8 else 6 end) as who,
           random() < 0.5 as mine, (array[15, 13, 11, 9])[1 + floor(random() * 4)] as options
    from generate_series(1, 1400) as n
) as m
join other on other.n = m.who
cross join lateral pg_temp.send(
    array[case when mine then :owner else peer end], array[case when mine then peer else :owner end],
    p_options => array[m.options::bigint | 1]
) \g /dev/null
update duet.mailbox set deleted = true where owner = :owner and random() < 0.1;
update duet.mailbox set recalled = true where owner = :owner and random() < 0.1;
update duet.mailbox set expires_at = now() where owner = :owner and random() < 0.1;
update duet.contact as c
set read_seq = (array[0, 300, 1000, 1390])[1 + c.peer % 4], hidden_seq = (array[0, 0, 700, 1395])[1 + c.peer % 4],
    pinned = c.peer % 5 = 0, read_at = case when c.peer % 4 > 0 then now() end
where c.owner = :owner;

create temporary table looked as
select 't-other' || o.n as peer,
    (select m.seq from duet.mailbox as m
     where m.owner = c.owner and m.peer = c.peer and m.seq > c.hidden_seq and m.options & 4 <> 0
       and not m.deleted and m.expires_at is null
     order by m.seq desc limit 1) as last_seq,
    (select count(*) from duet.mailbox as m
     where m.owner = c.owner and m.peer = c.peer and m.seq > c.read_seq and m.options & 2 <> 0
       and not m.deleted and not m.recalled and m.expires_at is null and not m.outgoing) as unread
from other as o join duet.contact as c on c.owner = :owner and c.peer = o.peer;

select set_eq(
    format($$
        select peer, case when last_message_id_sender = %1$s then last_message_id_sender_seq
                          else last_message_id_receiver_seq end, unread
        from duet.conversation_list('t-owner')
    $$, :owner),
    format('select peer, last_seq, unread from looked where last_seq is not null or peer in (
        select u.user_id from duet.contact as c join duet.app_user as u on u.user_no = c.peer
        where c.owner = %s and c.pinned)', :owner),
    'last messages and unread counts are those of the whole mailbox'
);
select set_eq(
    $$select peer, unread from duet.unread_get('t-owner')$$,
    $$select peer, unread from looked where unread > 0$$,
    'and so are the unread counts alone'
);
select cmp_ok(count(*), '>=', 2::bigint, 'of some peers the tail does not hold the last message') from looked where last_seq <= 900;

select * from finish();
rollback;
