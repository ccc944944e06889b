begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob \gset
select count(*) as sent from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[]) \gset

create function pg_temp.item(p_from text, p_to text, p_days double precision, p_text text, p_client_id text default null) returns json
language sql as $$
    select json_build_object('from', p_from, 'to', p_to, 'text', p_text, 'client_id', p_client_id,
                             'sent_at', now() - p_days * interval '1 day')
$$;
create function pg_temp.import(variadic p_items json[]) returns text
language sql as $$
    select string_agg(concat_ws(' ', i.outcome, i.status, i.message_elements, i.message_id_sender_seq, i.message_id_receiver_seq,
                                i.message_sent_by, i.problem), ', ')
    from duet.message_import(array_to_json(p_items), 'mover') as i
$$;
create function pg_temp.walk(p_order text) returns text
language plpgsql as $$
declare
    v_cursor text;
    v_walk text[];
    v_one record;
begin
    loop
        select * into v_one from duet.message_list('t-ann', null, null, null, p_order, v_cursor, 1);
        exit when v_one.id_receiver is null;
        v_cursor := v_one.cursor;
        v_walk := v_walk || (v_one.elements::json -> 0 ->> 'text');
    end loop;
    return array_to_string(v_walk, ' ');
end
$$;

select is(
    pg_temp.import(pg_temp.item('t-ann', 't-bob', 2, 'b'), pg_temp.item('t-bob', 't-ann', 4, 'a'), pg_temp.item('t-ann', 't-bob', 2, 'c')),
    'ok 201 [{"type":"text","text":"b"}] 3 3 mover, ok 201 [{"type":"text","text":"a"}] 2 2 mover, ok 201 [{"type":"text","text":"c"}] 4 4 mover',
    'messages of the past are stored, numbered by their time');
select is(pg_temp.walk('oldest'), 'a b c 1', 'and lie on their own days');
select is(pg_temp.walk('newest'), '1 c b a', 'in both orders');
select is((select string_agg(e.seq || e.kind, ' ') from duet.event_list('t-bob', 0, 50) as e), '1message', 'they are no news');
select is((select string_agg(u.peer || u.unread, ' ') from duet.unread_get('t-bob') as u), 't-ann1', 'nor unread');
select is((select string_agg(c.last_message_elements, ' ') from duet.conversation_list('t-bob') as c), '[{"type":"text","text":"1"}]', 'nor at the top');
select is((select count(*) from duet.mailbox where options = 33), 6::bigint, 'in both mailboxes');

select is(
    pg_temp.import(pg_temp.item('t-ann', 't-bob', 1, 'x', 'k'), pg_temp.item('t-ann', 't-bob', 1, 'y', 'k'), pg_temp.item('t-bob', 't-ann', 1, 'z', 'k')),
    'ok 201 [{"type":"text","text":"x"}] 5 5 mover, ok 200 [{"type":"text","text":"x"}] 5 5 mover, ok 201 [{"type":"text","text":"z"}] 6 6 mover',
    'two with one client_id are one message');
select is(
    pg_temp.import(pg_temp.item('t-ann', 't-bob', 3, 'again', 'k'), pg_temp.item('t-ann', 't-bob', 3, 'new', 'l')),
    'ok 200 [{"type":"text","text":"x"}] 5 5 mover, ok 201 [{"type":"text","text":"new"}] 7 7 mover',
    'also in two calls');
select is(
    pg_temp.import(pg_temp.item('t-nobody', 't-bob', 1, 'x', 'm'), pg_temp.item('t-ann', 't-nobody', 1, 'x'),
                   pg_temp.item('t-ann', 't-bob', 7.001, 'x', 'm'), pg_temp.item('t-ann', 't-bob', -0.001, 'x'),
                   pg_temp.item('t-ann', 't-bob', 1, repeat('x', 12300)), pg_temp.item('t-ann', 't-bob', 6.999, 'm', 'm')),
    'ok 0 user_unknown, ok 0 user_unknown, ok 0 too_old, ok 0 in_future, ok 0 body_too_large, '
    || 'ok 201 [{"type":"text","text":"m"}] 8 8 mover',
    'items are refused one by one');
select is(pg_temp.with_gaps(), 0::bigint, 'no mailbox has a gap');

select pg_temp.make_user('t-cat') as cat \gset
select is(pg_temp.import(pg_temp.item('t-cat', 't-bob', 1, 'hi')), 'ok 201 [{"type":"text","text":"hi"}] 1 9 mover', 'strangers become contacts');
select is((select count(*) from duet.contact where :cat in (owner, peer)), 2::bigint, 'on both sides');
select results_eq(
    $$select i.message_elements, i.message_custom_data from duet.message_import(json_build_array(json_build_object(
        'from', 't-ann', 'to', 't-bob', 'sent_at', now() - interval '1 s', 'custom_data', 'c',
        'elements', '[{"type":"emoji","index":1}]'::json)), 'mover') as i$$,
    $$values ('[{"type":"emoji","index":1}]', 'c')$$, 'elements are kept as they are');

-- What was imported stands for its time where it is read.
select results_eq(
    $$select r.outcome, r.unread
      from duet.message_entry as e
      join duet.app_user as u on u.user_no = e.owner and u.user_id = 't-bob',
      lateral duet.conversation_read('t-bob', 't-ann', e.id_receiver, e.id_receiver_seq, e.id_sender, e.id_sender_seq,
                                     e.id_sent_at, e.id_nonce, null) as r
      where e.client_id = 'm'$$,
    $$values ('ok', 1::bigint)$$, 'reading up to an old message does not read what is newer');

select * from finish();
rollback;
