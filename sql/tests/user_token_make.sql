begin;
\ir helpers.psql
select plan(2);

select pg_temp.make_user('t-ann') as ann \gset
select is(duet.user_token_make('t-ann'), 'ok', 'a user may have a token');
select is(duet.user_token_make('t-x'), 'user_unknown', 'who is not there may not');

select * from finish();
rollback;
