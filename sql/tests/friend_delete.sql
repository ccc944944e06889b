begin;
\ir helpers.psql
select plan(12);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset

create function pg_temp.relation() returns text
language sql as $$select relation from duet.friend_check('t-ann', '{t-bob}')$$;
create function pg_temp.last(p_owner bigint) returns text
language sql as $$
    select h.last_seq || ' ' || m.kind
    from duet.mailbox_head as h join duet.mailbox as m on m.owner = h.owner and m.seq = h.last_seq
    where h.owner = p_owner
$$;

select is(pg_temp.relation(), 'none', 'strangers');
select is((select outcome from duet.friend_put('t-ann', 't-bob', false, 'B', null, '{"a": "b"}')), 'ok', 'friends');
select is(pg_temp.relation(), 'mutual', 'both ways');
select is((select outcome from duet.friend_delete('t-bob', 't-ann', true)), 'ok', 'one side parts');
select is(pg_temp.relation(), 'outgoing', 'the other has a friend still');
select is(pg_temp.last(:bob), '2 23', 'the own devices learn of it');
select is(pg_temp.last(:ann), '1 21', 'the other''s do not');
select is((select outcome from duet.friend_delete('t-bob', 't-ann', false)), 'ok', 'both sides part');
select is(pg_temp.relation(), 'none', 'strangers again');
select is(pg_temp.last(:ann) || ', ' || pg_temp.last(:bob), '2 23, 2 23', 'only who has lost a friend learns of it');
select results_eq(
    $$select friend, friend_since, remark, groups, custom from duet.contact where owner = (select user_no from duet.app_user where user_id = 't-ann')$$,
    $$values (false, null::timestamptz, '', '{}'::text[] collate "C", '{}'::jsonb)$$,
    'the row stays, and nothing in it of the friend');
select is((select concat_ws(' ', outcome, pointer) from duet.friend_delete('t-ann', 't-none', false)),
    'user_unknown /peer', 'who is not there is named');

select * from finish();
rollback;
