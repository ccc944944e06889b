begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob,
       pg_temp.make_user('t-cat', 'Cat') as cat, pg_temp.make_user('t-dan') as dan \gset

-- Twelve messages of ann's over three days, to and from bob and cat in turns; the last has expired.
do $$
declare
    ann constant bigint := (select user_no from duet.app_user where user_id = 't-ann');
    peer bigint;
begin
    for i in 1 .. 12 loop
        select user_no into peer from duet.app_user where user_id = case when i % 3 = 0 then 't-cat' else 't-bob' end;
        perform pg_temp.send(
            array[case when i % 2 = 0 then peer else ann end], array[case when i % 2 = 0 then ann else peer end],
            p_elements => array['["' || i || '"]'], p_store_seconds => array[case when i = 12 then 0 else 604800 end],
            p_now => now() - interval '60 hours' + i * interval '5 hours');
    end loop;
end
$$;

create function pg_temp.page(
    p_peer text default null, p_order text default 'newest', p_limit bigint default 50,
    p_since timestamptz default null, p_until timestamptz default null, p_cursor text default null,
    p_now timestamptz default now() + interval '1 day', p_user text default 't-ann'
)
returns text
language sql as $$
    select string_agg(trim(both '[]"' from elements), ' ')
    from duet.message_list(p_user, p_peer, p_since, p_until, p_order, p_cursor, p_limit, p_now)
$$;

-- The pages of p_limit one after the other, while more messages come in between.
create function pg_temp.walk(p_peer text, p_order text, p_limit bigint, p_busy boolean default false) returns text
language plpgsql as $$
declare
    v_cursor text;
    v_walk text[];
    v_page text[];
begin
    loop
        select array_agg(trim(both '[]"' from elements)), (array_agg(m.cursor))[count(*)]
        into v_page, v_cursor
        from duet.message_list('t-ann', p_peer, null, null, p_order, v_cursor, p_limit, now() + interval '1 day') as m
        where m.id_receiver is not null;
        exit when v_page is null;
        v_walk := v_walk || v_page;
        if p_busy then
            perform pg_temp.send(array[a.user_no], array[b.user_no], p_elements => array['["new"]'])
            from duet.app_user as a, duet.app_user as b where a.user_id = 't-bob' and b.user_id = 't-ann';
        end if;
    end loop;
    return array_to_string(v_walk, ' ');
end
$$;

select is(pg_temp.page(), '11 10 9 8 7 6 5 4 3 2 1', 'all messages are listed, newest first, but expired ones');
select is(pg_temp.page(p_order => 'oldest'), '1 2 3 4 5 6 7 8 9 10 11', 'or oldest first');
select is(pg_temp.page('t-bob'), '11 10 8 7 5 4 2 1', 'with one peer, in both directions');
select is(pg_temp.page('t-cat', 'oldest'), '3 6 9', 'with one peer, oldest first');
select is(pg_temp.page('t-dan'), null, 'a peer who never wrote has no history');
select is(pg_temp.page('t-nobody'), null, 'nor one who is not there');
select results_eq(
    $$select outcome, id_receiver, cursor from duet.message_list('t-ann', 't-nobody', null, null, 'newest', null, 5)$$,
    $$values ('ok', null::bigint, null::text)$$,
    'an empty page is one row without a message');
select results_eq(
    $$select outcome, id_receiver from duet.message_list('t-nobody', null, null, null, 'newest', null, 5)$$,
    $$values ('user_unknown', null::bigint)$$,
    'a user who is not there is unknown');
select results_eq(
    format('select outcome, id_receiver, id_receiver_seq, id_sender, id_sender_seq, id_sent_at, id_nonce,
                   "from", "to", kind, elements, custom_data, sent_at, sent_by, sender_profile_nick,
                   sender_profile_avatar_url, state, edited_at
            from duet.message_list(%L, null, null, null, %L, null, 2)', 't-ann', 'oldest'),
    format('values (%1$L, %4$s::bigint, 1::bigint, %3$s::bigint, 1::bigint, now() - interval %5$L, 1001::bigint,
                    %7$L, %8$L, %11$L, %9$L, null::text, now() - interval %5$L, %12$L, %13$L, %15$L, %16$L, null::timestamptz),
                   (%1$L, %3$s, 2, %4$s, 2, now() - interval %6$L, 1001,
                    %8$L, %7$L, %11$L, %10$L, null, now() - interval %6$L, %12$L, %14$L, %15$L, %16$L, null)',
           'ok', '', :ann, :bob, '55 hours', '50 hours', 't-ann', 't-bob', '["1"]', '["2"]', 'chat', 'backend',
           'Ann', 'Bob', '', 'sent'),
    'each row is the whole message');

select is(pg_temp.page(p_since => now() - interval '30 hours', p_until => now() - interval '15 hours'), '8 7 6',
    'since is inclusive, until exclusive');
select is(pg_temp.page('t-bob', 'oldest', p_since => now() - interval '30 hours', p_until => now() - interval '15 hours'), '7 8',
    'with a peer, too');
select is(pg_temp.page(p_until => now() - interval '7 days'), null, 'a range may be empty');
select is(pg_temp.page(p_now => now() + interval '5 days'), '11 10 9 8 7 6 5 4 3', 'roaming_days is a filter');
select is(pg_temp.page(p_since => now() - interval '30 days', p_now => now() + interval '5 days'),
    '11 10 9 8 7 6 5 4 3', 'that no since gets round');

select is(pg_temp.page(p_limit => 3), '11 10 9', 'a page has at most limit rows');
select is(pg_temp.walk(null, 'newest', 3), '11 10 9 8 7 6 5 4 3 2 1', 'pages follow each other, newest first');
select is(pg_temp.walk(null, 'oldest', 2), '1 2 3 4 5 6 7 8 9 10 11', 'pages follow each other, oldest first');
select is(pg_temp.walk('t-bob', 'newest', 1), '11 10 8 7 5 4 2 1', 'pages with a peer follow each other, newest first');
select is(pg_temp.walk('t-cat', 'oldest', 1), '3 6 9', 'pages with a peer follow each other, oldest first');
select is(pg_temp.walk(null, 'newest', 2, true), '11 10 9 8 7 6 5 4 3 2 1',
    'what comes in meanwhile moves no page');
select is(pg_temp.walk('t-bob', 'newest', 3, true), 'new new new new new new 11 10 8 7 5 4 2 1',
    'neither with a peer');

select is((select outcome from duet.message_list('t-ann', null, null, null, 'newest', cursor, 5)),
    'cursor_invalid', 'no cursor: ' || cursor)
from unnest(array['', 'x', '1', '1.', '.1', '1.2.3', '-1.1', '1.1 ', '99999999999999999999.1', '1.99999999999999999']) as cursor;
select lives_ok($$select * from duet.message_list('t-ann', null, null, null, 'newest', '999999999999999999.9999999999999999', 5)$$,
    'a made-up cursor does no harm');
select ok((select bool_and(cursor ~ '^[0-9A-Za-z._-]+$') from duet.message_list('t-ann', null, null, null, 'newest', null, 50)),
    'cursors are plain text');

-- Where more was removed than a page may look at.
select pg_temp.make_user('t-eve') as eve \gset
insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, elements, deleted)
select :eve, i, now() - interval '3 days' - i % 2 * interval '1 day', :bob, i, 1, 1, 15, false, '["' || i || '"]', i not in (1, 25000)
from generate_series(1, 25000) as i;
create function pg_temp.steps(p_peer text, p_order text) returns text
language plpgsql as $$
declare
    v_cursor text;
    v_steps text := '';
begin
    for i in 1 .. 10 loop
        v_steps := v_steps || coalesce(pg_temp.page(p_peer, p_order, 2, p_cursor => v_cursor, p_user => 't-eve'), '') || '|';
        select m.cursor into v_cursor
        from duet.message_list('t-eve', p_peer, null, null, p_order, v_cursor, 2, now() + interval '1 day') as m
        where m.id_receiver is null;
        exit when v_cursor is null;
    end loop;
    return v_steps;
end
$$;
select is(pg_temp.steps(peer, 'newest'), '25000||1|', 'newest first, it is passed over by and by')
from unnest(array[null, 't-bob']) as peer;
select is(pg_temp.steps(peer, 'oldest'), '1||25000|', 'so it is oldest first')
from unnest(array[null, 't-bob']) as peer;
select is(id_receiver, null, 'nothing is told of what was removed, but where to go on')
from duet.message_list('t-eve', null, null, null, 'oldest', null, 5, now() + interval '1 day') as m where m.elements is null;

select * from finish();
rollback;
