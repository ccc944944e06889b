begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob, pg_temp.make_user('t-cat') as cat \gset
create temporary table sent as
select * from pg_temp.send(array[:ann, :ann, :ann]::bigint[], array[:bob, :bob, :bob]::bigint[],
                           p_options => array[15, 14, 15], p_store_seconds => array[604800, 604800, 60]);

create function pg_temp.edit(
    p_item bigint, p_elements text, p_custom_data text default null, p_as_user text default null,
    p_now timestamptz default now(), p_nonce bigint default 0
)
returns text
language sql as $$
    select concat_ws(' ', m.outcome, m.elements, m.custom_data, m.state, m.edited_at = p_now)
    from sent as s,
    lateral duet.message_edit(s.receiver, s.receiver_seq, s.sender, s.sender_seq, s.sent_at, s.nonce + p_nonce,
                              p_elements, p_custom_data, p_as_user, p_now) as m
    where s.item = p_item
$$;

create function pg_temp.events(p_user text) returns text
language sql as $$
    select string_agg(concat_ws(' ', e.kind, e.message_elements, e.target_receiver_seq), ', ' order by e.seq)
    from duet.event_list(p_user, 0, 50) as e
    where e.kind <> 'message'
$$;

select is(pg_temp.edit(1, '["new"]'), 'ok ["new"] sent t', 'a message gets other elements');
select is(pg_temp.events('t-ann'), 'message_edited ["new"]', 'the sender''s devices learn of it, with the message as it is now');
select is(pg_temp.events('t-bob'), 'message_edited ["new"]', 'and so do the receiver''s');
select results_eq(
    $$select distinct elements, edited_at from duet.mailbox where nonce = 1001 and kind < 16$$,
    $$values ('["new"]', now())$$,
    'both copies change');
select results_eq(
    $$select m.owner, t.seq, t.nonce from duet.mailbox as m
      join duet.mailbox as t on t.owner = m.owner and t.seq = m.target_seq and t.sent_at = m.target_at
      where m.kind = 16 order by 1$$,
    format('values (%s::bigint, 1::bigint, 1001::bigint), (%s, 1, 1001)', :ann, :bob),
    'each entry points at the copy in its own mailbox');
select is(pg_temp.edit(1, '["new"]', p_now => now() + interval '1 s'), 'ok ["new"] sent f', 'the same edit again is no edit');
select is(pg_temp.events('t-bob'), 'message_edited ["new"]', 'and nobody learns of it');
select is(pg_temp.edit(1, null, 'c'), 'ok ["new"] c sent t', 'custom data change alone');
select is(pg_temp.edit(1, '["3"]'), 'ok ["3"] c sent t', 'elements change alone');
select is(pg_temp.edit(1, null, ''), 'ok ["3"] sent t', 'custom data can be removed');

select is(pg_temp.edit(2, '["x"]'), 'ok ["x"] sent t', 'a message that the sender keeps no copy of is edited');
select is((select count(*) from duet.mailbox where kind = 16 and target_seq is null), 0::bigint, 'no entry is about nothing');
select is((select count(*) from duet.mailbox where kind = 16 and owner = :ann), 4::bigint, 'where there is no copy, there is no entry');

select is(pg_temp.edit(1, '["u"]', p_as_user => 't-ann'), 'ok ["u"] sent t', 'its sender may edit a message');
select is(pg_temp.edit(1, '["v"]', p_as_user => 't-bob'), 'forbidden', 'its receiver may not');
select is(pg_temp.edit(1, '["v"]', p_as_user => 't-cat'), 'message_unknown', 'to others it is unknown');
select is(pg_temp.edit(1, '["v"]', p_as_user => 't-nobody'), 'message_unknown', 'and to who is not there');
select is(pg_temp.edit(1, '["v"]', p_as_user => 't-ann', p_now => now() + interval '120 s'), 'ok ["v"] sent t',
    'a user may edit for recall_seconds');
select is(pg_temp.edit(1, '["w"]', p_as_user => 't-ann', p_now => now() + interval '120.001 s'), 'edit_too_late', 'and no longer');
select is(pg_temp.edit(1, '["w"]', p_now => now() + interval '7 days'), 'ok ["w"] sent t', 'a back-end service may as long as it is kept');
select is(pg_temp.edit(1, '["x"]', p_now => now() + interval '7 days 1 us'), 'message_unknown', 'and no longer, either');
select is(pg_temp.edit(3, '["x"]', p_now => now() + interval '60 s'), 'message_unknown', 'what has expired is not edited');
select is(pg_temp.edit(1, '["x"]', p_nonce => 1), 'message_unknown', 'a made-up id names nothing');
select is(pg_temp.with_gaps(), 0::bigint, 'no mailbox has a gap');

select * from finish();
rollback;
