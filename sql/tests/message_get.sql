begin;
\ir helpers.psql
select plan(18);

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob \gset
create temporary table sent as
select * from pg_temp.send(array[:bob, :ann, :ann, :ann]::bigint[], array[:ann, :bob, :bob, :bob]::bigint[],
                           p_store_seconds => array[604800, 604800, 0, 60], p_options => array[15, 15, 15, 14]);

-- The id of the item, with what is added to its parts.
create function pg_temp.get(
    p_item bigint,
    receiver bigint default 0, receiver_seq bigint default 0, sender bigint default 0, sender_seq bigint default 0,
    later interval default '0', nonce bigint default 0, p_now timestamptz default now()
)
returns text
language sql as $$
    select concat_ws(' ', m.outcome, m."from", m."to", m.kind, m.elements, m.sent_by, m.sender_profile_nick, m.state)
    from sent as s,
    lateral duet.message_get(s.receiver + $2, s.receiver_seq + $3, s.sender + $4, s.sender_seq + $5,
                             s.sent_at + $6, s.nonce + $7, null, p_now) as m
    where s.item = p_item
$$;

select is(pg_temp.get(2), 'ok t-ann t-bob chat [{"type":"text","text":"2"}] backend Ann sent',
    'a message is found by its id');
select results_eq(
    $$select m.id_receiver, m.id_receiver_seq, m.id_sender, m.id_sender_seq, m.id_sent_at, m.id_nonce,
             m.sent_at, m.custom_data, m.sender_profile_avatar_url, m.edited_at
      from sent as s,
      lateral duet.message_get(s.receiver, s.receiver_seq, s.sender, s.sender_seq, s.sent_at, s.nonce) as m
      where s.item = 2$$,
    $$select receiver, receiver_seq, sender, sender_seq, sent_at, nonce, sent_at, null::text, '', null::timestamptz
      from sent where item = 2$$,
    'and has that id again');
select is(pg_temp.get(2, receiver => 1), 'message_unknown', 'a wrong receiver finds nothing');
select is(pg_temp.get(2, receiver_seq => 1), 'message_unknown', 'a wrong number of the receiver''s finds nothing');
select is(pg_temp.get(2, sender => 1), 'message_unknown', 'a wrong sender finds nothing');
select is(pg_temp.get(2, sender_seq => 1), 'message_unknown', 'a wrong number of the sender''s finds nothing');
select is(pg_temp.get(2, later => '1 us'), 'message_unknown', 'a wrong time finds nothing');
select is(pg_temp.get(2, later => '900 years'), 'message_unknown', 'nor one that has no partition');
select is(pg_temp.get(2, nonce => 1), 'message_unknown', 'a wrong nonce finds nothing');
select is((select outcome from duet.message_get(-1, -1, 9223372036854775807, 0, 'infinity', -9223372036854775808)),
    'message_unknown', 'nonsense finds nothing');

delete from duet.mailbox as m using sent as s
where s.item = 2 and m.owner = s.receiver and m.seq = s.receiver_seq;
select is(pg_temp.get(2), 'ok t-ann t-bob chat [{"type":"text","text":"2"}] backend Ann sent',
    'without the receiver''s copy the sender''s is found');
select is(pg_temp.get(2, receiver_seq => 1), 'message_unknown', 'and compared all the same');

select is(pg_temp.get(1, p_now => now() + interval '7 days'), 'ok t-bob t-ann chat [{"type":"text","text":"1"}] backend Bob sent',
    'a message can be read for 7 days');
select is(pg_temp.get(1, p_now => now() + interval '7 days 1 us'), 'message_unknown', 'to the microsecond');
select is(pg_temp.get(3), 'message_unknown', 'one for connected devices alone cannot be read');
select is(pg_temp.get(4, p_now => now() + interval '59 s'), 'ok t-ann t-bob chat [{"type":"text","text":"4"}] backend Ann sent',
    'one that expires can be read until then');
select is(pg_temp.get(4, p_now => now() + interval '60 s'), 'message_unknown', 'and not from then on');
update duet.setting set roaming_days = 1;
select is(pg_temp.get(1, p_now => now() + interval '1 day 1 us'), 'message_unknown', 'roaming_days sets for how long');

select * from finish();
rollback;
