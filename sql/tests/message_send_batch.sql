begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob,
       pg_temp.make_user('t-cat', 'Cat') as cat, 0 as nobody \gset

-- ---- storing ----

select results_eq(
    format('select item, outcome, replayed, receiver, receiver_seq, sender, sender_seq, sent_at, nonce, nick,
                   elements
            from pg_temp.send(array[%1$s, %2$s, %1$s], array[%2$s, %1$s, %3$s])', :ann, :bob, :cat),
    format('values (1::bigint, %4$L, false, %2$s::bigint, 1::bigint, %1$s::bigint, 1::bigint, now(), 1001::bigint, %5$L, null::text),
                   (2, %4$L, false, %1$s, 2, %2$s, 2, now(), 1002, %6$L, null),
                   (3, %4$L, false, %3$s, 1, %1$s, 3, now(), 1003, %5$L, null)',
           :ann, :bob, :cat, 'ok', 'Ann', 'Bob'),
    'each item is answered in its place, with numbers in the order of the items');
select results_eq(
    format('select seq, peer, peer_seq, outgoing, nonce, elements, sent_by, kind::int, options::int, expires_at
            from duet.mailbox where owner = %s order by seq', :ann),
    format('values (1::bigint, %1$s::bigint, 1::bigint, true, 1001::bigint, %3$L, %4$L, 1, 15, null::timestamptz),
                   (2, %1$s, 2, false, 1002, %5$L, %4$L, 1, 15, null),
                   (3, %2$s, 1, true, 1003, %6$L, %4$L, 1, 15, null)',
           :bob, :cat, '[{"type":"text","text":"1"}]', 'backend', '[{"type":"text","text":"2"}]',
           '[{"type":"text","text":"3"}]'),
    'a mailbox has its copies in order, each naming the other');
select results_eq(
    format('select owner, peer from duet.contact where owner in (%1$s, %2$s, %3$s) order by owner, peer', :ann, :bob, :cat),
    format('values (%1$s::bigint, %2$s::bigint), (%1$s, %3$s), (%2$s, %1$s), (%3$s, %1$s)', :ann, :bob, :cat),
    'a first message makes both sides contacts, once');
select lives_ok(
    format('select * from pg_temp.send(array[%1$s, %1$s, %2$s], array[%2$s, %2$s, %1$s])', :ann, :bob),
    'contacts that exist stay');

select results_eq(
    format('select receiver_seq, sender_seq from pg_temp.send(array[%s], array[%s], p_options => array[14])', :bob, :cat),
    $$values (2::bigint, 0::bigint)$$,
    'without sync_to_sender only the receiver has a copy');
select results_eq(
    format('select peer, peer_seq from duet.mailbox where owner = %s and seq = 2', :cat),
    format('values (%s::bigint, 0::bigint)', :bob),
    'a copy whose sender has none says so');
select is_empty(
    format('select from duet.contact where owner = %s and peer = %s', :bob, :cat),
    'a sender who keeps no copy gets no contact');

select is_empty(
    format('with sent as materialized (
                select * from pg_temp.send(array[%1$s, %1$s, %1$s], array[%2$s, %2$s, %2$s],
                                           p_store_seconds => array[0, 60, 604800])
            )
            select from sent where outcome <> %3$L', :ann, :bob, 'ok'),
    'messages may expire at once, later, or with all others');
select results_eq(
    format('select expires_at from duet.mailbox where owner = %s and seq between 6 and 8 order by seq', :bob),
    $$values (now()), (now() + interval '60 s'), (null)$$,
    'store_seconds sets when a message expires, and 7 days set nothing');

select cmp_ok(
    (select m.sent_at from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_now => null) as m),
    '>', now(), 'without p_now the time is that of the clock, not of the transaction');

-- ---- refusing ----

select results_eq(
    format('select outcome, replayed, receiver, receiver_seq, sender, sender_seq, sent_at, nonce
            from pg_temp.send(array[%1$s, %3$s, %3$s], array[%3$s, %1$s, %3$s])', :ann, :bob, :nobody),
    $$values ('receiver_unknown', false, null::bigint, null::bigint, null::bigint, null::bigint,
              null::timestamptz, null::bigint),
             ('sender_unknown', false, null, null, null, null, null, null),
             ('sender_unknown', false, null, null, null, null, null, null)$$,
    'users who are not there are unknown');
select results_eq(
    format('select outcome, receiver_seq from pg_temp.send(array[%1$s, %1$s, %1$s, %1$s], array[%2$s, %3$s, %2$s, %4$s])', :ann, :cat, :nobody, :bob),
    format('values (%L, 3::bigint), (%L, null), (%L, 4), (%L, %s)', 'ok', 'receiver_unknown', 'ok', 'ok',
           (select last_seq + 1 from duet.mailbox_head where owner = :bob)),
    'an item that is refused leaves the others untouched');
select is(pg_temp.with_gaps(), 0::bigint, 'refusals leave no gap in the numbers');
select is_empty(format('select from duet.contact where %s in (owner, peer)', :nobody), 'refusals make no contact');

-- ---- retries by client_id ----

select m.receiver_seq as first_receiver_seq, m.sender_seq as first_sender_seq
from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], array['c1']) as m \gset
select results_eq(
    format('select outcome, replayed, receiver, receiver_seq, sender, sender_seq, nonce, elements, sent_by, state
            from pg_temp.send(array[%1$s, %1$s], array[%3$s, %2$s], array[null, %4$L], array[%5$L, %5$L])',
           :ann, :bob, :cat, 'c1', '["other"]'),
    format('values (%1$L, false, %3$s::bigint, 5::bigint, %2$s::bigint, %6$s::bigint + 1, 1001::bigint, null, null, null),
                   (%1$L, true, %4$s, %5$s, %2$s, %6$s, 1001, %7$L, %8$L, %9$L)',
           'ok', :ann, :cat, :bob, :first_receiver_seq, :first_sender_seq,
           '[{"type":"text","text":"1"}]', 'backend', 'sent'),
    'the same client_id answers with the first message, whatever the body');
select results_eq(
    format('select outcome, replayed from pg_temp.send(array[%1$s, %2$s, %1$s, %1$s], array[%3$s, %1$s, %2$s, %2$s],
            array[%4$L, %4$L, %5$L, %4$L])', :ann, :bob, :cat, 'c1', 'C1'),
    $$values ('ok', false), ('ok', false), ('ok', false), ('ok', true)$$,
    'another receiver, direction or case of letters is another message');
select results_eq(
    format('select outcome, replayed, receiver_seq - min(receiver_seq) over (), elements
            from pg_temp.send(array[%1$s, %1$s, %1$s, %1$s], array[%2$s, %2$s, %2$s, %2$s],
                              array[%3$L, %4$L, %3$L, null])', :ann, :bob, 'c2', 'c3'),
    $$values ('ok', false, 0::bigint, null), ('ok', false, 1, null),
             ('ok', true, 0, '[{"type":"text","text":"1"}]'), ('ok', false, 2, null)$$,
    'equal items of one batch become one message');
select results_eq(
    format('select replayed from pg_temp.send(array[%s], array[%s], array[%L], p_options => array[14])', :cat, :ann, 'c9')
    || ' union all ' ||
    format('select replayed from pg_temp.send(array[%s], array[%s], array[%L], p_options => array[14])', :cat, :ann, 'c9'),
    $$values (false), (true)$$,
    'a message that only the receiver has is known again');
select is(pg_temp.with_gaps(), 0::bigint, 'replays leave no gap in the numbers');

select is((
    select count(*) from generate_series(0, 7) as day,
    lateral pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], array['c1'], p_now => now() + day * interval '1 day') as m
    where m.replayed and m.receiver_seq = :first_receiver_seq),
    8::bigint, 'a client_id is known again for as long as the message is kept');

-- ---- retries by idempotency key ----

select m.receiver_seq as key_seq
from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_key => array['k1'], p_hash => array['\x01'::bytea],
                  p_now => date_trunc('day', now()) - interval '1 second') as m \gset
select results_eq(
    format('select outcome, replayed, receiver_seq, elements from pg_temp.send(array[%s], array[%s],
            p_key => array[%L], p_hash => array[%L::bytea], p_now => %L::timestamptz)',
           :ann, :bob, 'k1', '\x01', date_trunc('day', now()) + interval '1 second'),
    format('values (%L, true, %s::bigint, %L)', 'ok', :key_seq, '[{"type":"text","text":"1"}]'),
    'the same key answers with the first message, over midnight too');
select results_eq(
    format('select outcome, receiver_seq from pg_temp.send(array[%s], array[%s],
            p_key => array[%L], p_hash => array[%L::bytea])', :ann, :bob, 'k1', '\x02'),
    $$values ('idempotency_key_reused', null::bigint)$$,
    'the same key with another request is refused');
select is((select m.outcome from pg_temp.send(array[:ann]::bigint[], array[:cat]::bigint[], p_key => array['k1'],
                                              p_hash => array['\x03'::bytea]) as m),
    'idempotency_key_reused', 'the same key for other users is refused');
select is((select m.replayed from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_key => array['k1'],
                                               p_hash => array['\x01'::bytea], p_caller => array['other']) as m),
    false, 'the same key of another caller is another key');
select results_eq(
    format('select m.replayed from unnest(array[%L, %L]::timestamptz[]) as t(at),
            lateral pg_temp.send(array[%s], array[%s], p_key => array[%L], p_hash => array[%L::bytea],
                                 p_now => t.at) as m',
           date_trunc('day', now()) + interval '23:59:58', date_trunc('day', now()) + interval '23:59:59',
           :ann, :bob, 'k1', '\x01'),
    $$values (true), (false)$$,
    'a key is good for 24 hours');
select is((select m.outcome from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_key => array['k1'],
                                              p_hash => array['\x03'::bytea],
                                              p_now => date_trunc('day', now()) + interval '48 hours') as m),
    'ok', 'after 24 hours a key may be used for another request');
select results_eq(
    format('select outcome, replayed from pg_temp.send(array[%1$s, %1$s, %1$s], array[%2$s, %2$s, %2$s],
            p_key => array[%3$L, %3$L, %3$L], p_hash => array[%4$L, %4$L, %5$L]::bytea[])', :ann, :bob, 'k2', '\x01', '\x02'),
    $$values ('ok', false), ('ok', true), ('idempotency_key_reused', false)$$,
    'equal keys of one batch are one message, or are refused');
select results_eq(
    format('select outcome, replayed, receiver_seq from pg_temp.send(array[%1$s, %1$s], array[%2$s, %2$s], array[%3$L, null],
            p_key => array[%4$L, %5$L], p_hash => array[%6$L, %6$L]::bytea[])', :ann, :bob, 'c1', 'k3', 'k4', '\x01')
    || ' union all ' ||
    format('select outcome, replayed, receiver_seq from pg_temp.send(array[%1$s], array[%2$s],
            p_key => array[%3$L], p_hash => array[%4$L]::bytea[])', :ann, :bob, 'k3', '\x01'),
    format('values (%1$L, true, %2$s::bigint), (%1$L, false, %3$s), (%1$L, true, %2$s)', 'ok', :first_receiver_seq,
           (select last_seq + 1 from duet.mailbox_head where owner = :bob)),
    'a key that came with a known client_id is remembered for that message');
select is(pg_temp.with_gaps(), 0::bigint, 'keys leave no gap in the numbers');

-- ---- the policy ----

update duet.contact set blocked = true, blocked_at = now() where owner = :bob and peer = :ann;
select results_eq(
    format('select outcome, replayed from pg_temp.send(array[%1$s, %1$s, %1$s, %2$s, %1$s], array[%2$s, %2$s, %3$s, %1$s, %2$s],
            array[null, null, null, null, %5$L], p_options => array[%4$s, 15, %4$s, %4$s, %4$s])', :ann, :bob, :cat, pg_temp.enforced(), 'c1'),
    $$values ('blocked_by_recipient', false), ('ok', false), ('ok', false), ('ok', false), ('ok', true)$$,
    'a block refuses where the policy is enforced, in one direction, and never a retry');
select is(pg_temp.with_gaps(), 0::bigint, 'a policy''s refusals leave no gap in the numbers');

select results_eq(
    format('select replayed, count(*) from generate_series(1, 3) as round,
            lateral pg_temp.send(
                array(select case when i %% 2 = 0 then %1$s else %2$s end from generate_series(1, 100) as i),
                array(select case when i %% 2 = 0 then %2$s else %1$s end from generate_series(1, 100) as i),
                array(select %3$L || i / 2 %% (round * 10) from generate_series(1, 100) as i)) as m
            group by 1 order by 1', :ann, :bob, 'many'),
    $$values (false, 60::bigint), (true, 240)$$,
    'of many retries in large batches each message is stored once');
select is(pg_temp.with_gaps(), 0::bigint, 'large batches with replays leave no gap in the numbers');
select is_empty(
    $$select m.owner, m.seq from duet.mailbox as m
      left join duet.mailbox as o on o.owner = m.peer and o.seq = m.peer_seq
      where m.peer_seq > 0
        and (o.peer, o.peer_seq, o.nonce, o.sent_at, o.elements, o.outgoing)
            is distinct from (m.owner, m.seq, m.nonce, m.sent_at, m.elements, not m.outgoing)$$,
    'both copies of each message name each other and agree');

select * from finish();
rollback;
