begin;
\ir helpers.psql
select plan(13);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob, pg_temp.make_user('t-cat') as cat,
       pg_temp.make_user('t-dan') as dan \gset
select is((select outcome from duet.friend_group_put('t-ann', 'home')), 'ok', 'a group');
-- Two of the same moment, at the smallest part of a second there is.
select is(
    (select string_agg(peer || ' ' || status || coalesce(' ' || problem, ''), ', ')
     from duet.friend_import('t-ann', $$[{"peer": "t-cat", "friend_since": "2020-01-01T00:00:00.000001Z", "groups": ["home"]},
                                         {"peer": "t-bob", "friend_since": "2020-01-01T00:00:00.000001Z", "one_way": true},
                                         {"peer": "t-none"}, {"peer": "t-ann"}, {"peer": "t-dan", "groups": ["none"]},
                                         {"peer": "t-dan", "groups": ["home"], "remark": null, "custom": {"a": "b"}}]$$)),
    't-cat 201, t-bob 201, t-none 0 user_unknown, t-ann 0 invalid_request, t-dan 201 group_unknown, t-dan 201',
    'each item has its own fate');
select is(
    (select outcome from duet.friend_import('t-none', '[{"peer": "t-ann"}]')), 'user_unknown', 'not for who is not there');

select results_eq(
    $$select outcome, peer, groups, custom, mutual from duet.friend_list('t-ann', null, null, 10)$$,
    $$values ('ok', 't-bob', '{}'::text[], '{}'::jsonb, false), ('ok', 't-cat', '{home}', '{}', true),
             ('ok', 't-dan', '{home}', '{"a": "b"}', true)$$,
    'friends in the order in which they were made');
select results_eq(
    $$with recursive page as (
          select * from duet.friend_list('t-ann', null, null, 1)
          union all
          select n.* from page as p, duet.friend_list('t-ann', null, p.cursor, 1) as n where p.peer is not null
      ) select peer from page$$,
    $$values ('t-bob'), ('t-cat'), ('t-dan'), (null)$$,
    'one after the other by the cursor');
select results_eq($$select peer from duet.friend_list('t-ann', 'home', null, 10)$$, $$values ('t-cat'), ('t-dan')$$,
    'those of one group');
select results_eq($$select outcome, pointer from duet.friend_list('t-ann', 'none', null, 10)$$,
    $$values ('group_unknown', '/group')$$, 'a group that is not there');
select is((select outcome from duet.friend_list('t-ann', null, '1', 10)), 'cursor_invalid', 'no cursor of this list');
select results_eq($$select outcome, peer from duet.friend_list('t-dan', null, null, 10) where peer is null$$,
    $$select 'ok', 'x' where false$$, 'dan has a friend');
select results_eq($$select outcome, peer from duet.friend_list('t-bob', null, null, 10)$$, $$values ('ok', null::text)$$,
    'who has none has an empty list');

delete from duet.app_user where user_id = 't-cat';
select results_eq($$select peer from duet.friend_list('t-ann', null, null, 10)$$, $$values ('t-bob'), ('t-dan')$$,
    'who was deleted is left out');
select results_eq($$select name, friends from duet.friend_group_list('t-ann')$$, $$values ('home', 1::bigint)$$,
    'and not counted in groups');

-- A page looks at its own rows, however many friends there are.
insert into duet.app_user (user_no, user_id, created_at, updated_at)
select 9000000 + i, 't-many-' || i, now(), now() from generate_series(1, 3000) as i;
insert into duet.contact (owner, peer, friend, friend_since, created_at)
select :ann, 9000000 + i, true, now(), now() from generate_series(1, 3000) as i;
create function pg_temp.rows_read() returns bigint language plpgsql as $$
declare
    v_before bigint;
begin
    select sum(seq_tup_read + idx_tup_fetch) into v_before from pg_stat_xact_user_tables where schemaname = 'duet';
    perform from duet.friend_list('t-ann', null, null, 51);
    return (select sum(seq_tup_read + idx_tup_fetch) - v_before from pg_stat_xact_user_tables where schemaname = 'duet');
end
$$;
select cmp_ok(pg_temp.rows_read(), '<', 200::bigint, 'a page reads no more than its own rows');

select * from finish();
rollback;
