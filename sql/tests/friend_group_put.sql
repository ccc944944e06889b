begin;
\ir helpers.psql
select plan(14);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset

select results_eq($$select outcome, created, name, friends from duet.friend_group_put('t-ann', 'home')$$,
    $$values ('ok', true, 'home', 0::bigint)$$, 'a new group');
select results_eq($$select outcome, created, name, friends from duet.friend_group_put('t-ann', 'home')$$,
    $$values ('ok', false, 'home', 0::bigint)$$, 'the same again');
select is((select outcome from duet.friend_group_put('t-ann', 'Art')), 'ok', 'another');
select is((select outcome from duet.friend_put('t-ann', 't-bob', false, null, '{Art,home}', null)), 'ok', 'a friend in both');
select results_eq($$select name, friends from duet.friend_group_list('t-ann')$$,
    $$values ('Art', 1::bigint), ('home', 1)$$, 'groups come by name');
select results_eq($$select outcome, name from duet.friend_group_list('t-bob')$$, $$values ('ok', null::text)$$, 'or there are none');
select is((select outcome from duet.friend_group_list('t-none')), 'user_unknown', 'groups of nobody');
select is((select outcome from duet.friend_group_put('t-none', 'g')), 'user_unknown', 'no group for nobody');

select is((select outcome from duet.friend_group_delete('t-ann', 'home')), 'ok', 'a group goes');
select is((select groups from duet.friend_get('t-ann', 't-bob')), '{Art}'::text[], 'from its friends too');
select is((select outcome from duet.friend_group_delete('t-ann', 'home')), 'ok', 'once');
select results_eq(
    format($$select kind, peer, details::jsonb from duet.mailbox where owner = %s and kind = 22 order by seq$$, :ann),
    format($$values (22::smallint, %1$s::bigint, '{"group_added": "home"}'::jsonb), (22::smallint, %1$s, '{"group_added": "Art"}'),
                    (22::smallint, %1$s, '{"group_removed": "home"}')$$, :ann),
    'the user''s own devices learn of each change');

select is(count(*), 31::bigint, 'up to 32') from generate_series(1, 31) as i, duet.friend_group_put('t-ann', 'g' || i) as g
where g.outcome = 'ok';
select is((select outcome from duet.friend_group_put('t-ann', 'more')), 'groups_full', 'and no more');

select * from finish();
rollback;
