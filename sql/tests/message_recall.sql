begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob, pg_temp.make_user('t-cat') as cat \gset
create temporary table sent as
select * from pg_temp.send(array[:ann, :ann, :ann]::bigint[], array[:bob, :bob, :bob]::bigint[], array['c1', 'c2', null]);

create function pg_temp.recall(p_item bigint, p_as_user text default null, p_now timestamptz default now()) returns text
language sql as $$
    select concat_ws(' ', m.outcome, m.elements, m.custom_data, m.state)
    from sent as s,
    lateral duet.message_recall(s.receiver, s.receiver_seq, s.sender, s.sender_seq, s.sent_at, s.nonce, p_as_user, p_now) as m
    where s.item = p_item
$$;
create function pg_temp.remove(p_item bigint, p_user text, p_now timestamptz default now()) returns text
language sql as $$
    select m.outcome
    from sent as s,
    lateral duet.message_delete(p_user, s.receiver, s.receiver_seq, s.sender, s.sender_seq, s.sent_at, s.nonce, p_now) as m
    where s.item = p_item
$$;
create function pg_temp.events(p_user text) returns text
language sql as $$
    select string_agg(concat_ws(' ', e.kind, e.message_state, e.target_receiver_seq), ', ' order by e.seq)
    from duet.event_list(p_user, 0, 50) as e
$$;

update duet.mailbox set custom_data = 'c', push = '{}';
insert into duet.message_extension (owner, seq, sent_at, version, cleared, pairs)
select s.receiver, s.receiver_seq, s.sent_at, 1, 0, '{"k": ["v", 1]}' from sent as s where s.item in (1, 2);
select is(pg_temp.recall(1, 't-ann'), 'ok [] recalled', 'its sender takes a message back');
select is(pg_temp.recall(1, 't-ann', now() + interval '1 hour'), 'ok [] recalled', 'a second time nothing is new');
select results_eq(
    $$select distinct elements, custom_data, push, recalled from duet.mailbox where nonce = 1001 and kind < 16$$,
    $$values ('[]', null::text, null::text, true)$$,
    'nothing of what it said is kept, in either mailbox');
select results_eq($$select s.item from duet.message_extension as e join sent as s on s.receiver = e.owner and s.receiver_seq = e.seq$$,
    $$values (2::bigint)$$, 'nor are the named values on it');
select is(pg_temp.events('t-ann'), 'message recalled, message sent, message sent, message_recalled recalled', 'the sender''s devices learn of it');
select is(pg_temp.events('t-bob'), 'message recalled, message sent, message sent, message_recalled recalled', 'and so do the receiver''s, once');
select is(
    (select outcome || state || elements from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], array['c1'])),
    'okrecalled[]', 'sent again by its client_id, it is not sent');

select is(pg_temp.recall(2, 't-bob'), 'forbidden', 'its receiver may not recall a message');
select is(pg_temp.recall(2, 't-cat'), 'message_unknown', 'to others it is unknown');
select is(pg_temp.recall(2, 't-ann', now() + interval '121 s'), 'recall_too_late', 'a user may for recall_seconds');
select is(pg_temp.recall(2, null, now() + interval '121 s'), 'ok [] recalled', 'a back-end service may later');
select is(
    (select e.outcome from sent as s, lateral duet.message_edit(s.receiver, s.receiver_seq, s.sender, s.sender_seq,
        s.sent_at, s.nonce, '["x"]', null, null) as e where s.item = 2),
    'message_recalled', 'what is recalled is not edited');

-- ---- message_delete ----

select is(pg_temp.remove(3, 't-cat'), 'message_unknown', 'a message of others cannot be removed');
select is(pg_temp.remove(3, 't-nobody'), 'user_unknown', 'a user who is not there is unknown');
select is(pg_temp.remove(3, 't-bob', now() + interval '8 days'), 'message_unknown', 'nor one that is not kept');
select is(pg_temp.remove(3, 't-bob'), 'ok', 'a user removes a message');
select is(pg_temp.remove(3, 't-bob'), 'ok', 'twice');
select is(pg_temp.events('t-bob'), 'message recalled, message recalled, message_recalled recalled, message_recalled recalled, message_deleted 3',
    'and the user''s devices learn of it, once, by its id');
select is((select count(*) from duet.message_list('t-bob', null, null, null, 'newest', null, 50)), 2::bigint, 'it is gone from the history');
select is((select count(*) from duet.message_list('t-ann', null, null, null, 'newest', null, 50)), 3::bigint, 'of that user alone');
select results_eq(
    $$select u, g.outcome from sent as s, unnest(array[null, 't-ann', 't-bob', 't-cat']) as u,
      lateral duet.message_get(s.receiver, s.receiver_seq, s.sender, s.sender_seq, s.sent_at, s.nonce, u) as g
      where s.item = 3 order by u$$,
    $$values ('t-ann', 'ok'), ('t-bob', 'message_unknown'), ('t-cat', 'message_unknown'), (null, 'ok')$$,
    'each side has its own');
select is(pg_temp.recall(3, 't-ann'), 'ok [] recalled', 'what the receiver has removed can be recalled');
select ok(pg_temp.events('t-bob') ~ 'message_deleted 3$', 'of which the receiver''s devices learn nothing');
select is(pg_temp.remove(3, 't-ann'), 'ok', 'the sender removes it, too');
select is(pg_temp.recall(3), 'message_unknown', 'a message that both have removed is unknown');
select is(pg_temp.with_gaps(), 0::bigint, 'no mailbox has a gap');

select * from finish();
rollback;
