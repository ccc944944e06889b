begin;
\ir helpers.psql
select plan(2);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
select results_eq(
    format('select user_id, user_no from duet.user_resolve(%L) order by user_id',
           array['t-bob', 't-nobody', 't-ann', 't-bob']),
    format('values (%L::text, %s::bigint), (%L, %s)', 't-ann', :ann, 't-bob', :bob),
    'known users have numbers, others are left out');
select is_empty($$select * from duet.user_resolve('{}')$$, 'nobody is resolved to nothing');

select * from finish();
rollback;
