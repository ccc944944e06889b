begin;
\ir helpers.psql
select plan(3);

select pg_temp.make_user('t-ann', 'Ann') > 0 as made \gset
select results_eq(
    $$select outcome, id, nick, birthday, level, custom, friend_policy, created_at <= updated_at
      from duet.user_get('t-ann')$$,
    $$values ('ok', 't-ann', 'Ann', null::text, 0::bigint, '{}'::jsonb, 'anyone', true)$$,
    'a user is read as stored');
select results_eq(
    $$select outcome, id from duet.user_get('t-nobody')$$,
    $$values ('user_unknown', null::text)$$,
    'a user who is not there is unknown');
select is((select outcome from duet.user_get('T-ann')), 'user_unknown', 'ids are compared byte by byte');

select * from finish();
rollback;
