begin;
\ir helpers.psql
select plan(10);
select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset

create function pg_temp.import(p_items text, p_now timestamptz default now())
returns table (status integer, problem text, receiver_seq bigint, sender_seq bigint, sent_at timestamptz)
language sql as $$
    select status, problem, id_receiver_seq, id_sender_seq, id_sent_at
    from duet.message_import(p_items::json, 'backend', p_now)
$$;
create function pg_temp.item(p_ago interval, p_text text, p_client_id text default null, p_to text default 't-bob')
returns text language sql as $$
    select json_build_object('from', 't-ann', 'to', p_to, 'text', p_text, 'sent_at', now() - p_ago,
        'client_id', p_client_id)::text
$$;

select results_eq(
    format('select status, problem, receiver_seq from pg_temp.import(%L)',
        '[' || pg_temp.item('1 day', 'b') || ',' || pg_temp.item('2 days', 'a') || ']'),
    $$values (201, null, 2::bigint), (201, null, 1)$$, 'a call numbers its items by their times');
select results_eq(
    format('select elements::json -> 0 ->> %L, sent_at::timestamptz, options::integer, outgoing from duet.mailbox where owner = %s order by seq',
        'text', :bob),
    $$values ('a', now() - interval '2 days', 33, false), ('b', now() - interval '1 day', 33, false)$$,
    'with the times they had, marked as no news');
select is((select count(*) from duet.mailbox where owner = :ann and outgoing), 2::bigint, 'the sender has copies');
select is(pg_temp.with_gaps(), 0::bigint, 'no mailbox has a gap');
select is((select count(*) from duet.contact where owner in (:ann, :bob)), 2::bigint, 'the two know each other');

select results_eq(
    format('select status, problem from pg_temp.import(%L)', '[' || pg_temp.item('7 days 1 second', 'old') || ','
        || pg_temp.item('6 days 23:59:59', 'ok') || ',' || pg_temp.item('-1 second', 'new') || ','
        || pg_temp.item('1 hour', 'x', null, 't-ghost') || ']'),
    $$values (400, 'too_old'), (201, null), (400, 'in_future'), (400, 'user_unknown')$$,
    'what cannot be stored is refused alone');

select pg_temp.import('[' || pg_temp.item('3 hours', 'c', 'id') || ']') as first \gset
select results_eq(
    format('select status from pg_temp.import(%L)', '[' || pg_temp.item('3 hours', 'c', 'id') || ','
        || pg_temp.item('3 hours', 'd', 'id2') || ',' || pg_temp.item('3 hours', 'd', 'id2') || ']'),
    $$values (200), (201), (200)$$, 'what was stored before is not stored again, within a call either');
select is((select count(*) from duet.mailbox where owner = :bob and client_id is not null), 2::bigint, 'there is one of each');
select is(pg_temp.with_gaps(), 0::bigint, 'and still no gap');

-- Nobody has made partitions for twelve days: those of the days between are made late.
select duet.partition_make(now() + interval '12 days') as made \gset
set local search_path = public;
select results_eq(
    format('select status from pg_temp.import(%L, now() + interval %L)', '[' || pg_temp.item('-5 days -1 second', 'e') || ','
        || pg_temp.item('-9 days', 'f') || ',' || pg_temp.item('-11 days', 'g') || ']', '12 days'),
    $$values (201), (201), (201)$$, 'days on which nothing ran take messages as others do');

select * from finish();
rollback;
