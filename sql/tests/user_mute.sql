begin;
\ir helpers.psql
select plan(6);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
select is((select outcome from duet.user_mute('t-x', '{}')), 'user_unknown', 'who is not there cannot be muted');
select results_eq($$select outcome, muted_until from duet.user_mute('t-ann', '{"until": "9999-12-31T01:00:00+01:00"}')$$,
    $$values ('ok', '9999-12-31 00:00:00 UTC'::timestamptz)$$, 'a user is muted');
select is((select muted_until from duet.user_mute('t-ann', '{}')), '9999-12-31 00:00:00 UTC',
    'a patch of nothing leaves it so');
select is((select outcome from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_options => array[pg_temp.enforced()])),
    'sender_muted', 'a muted user may not send');
select is((select muted_until from duet.user_mute('t-ann', '{"until": null}')), null, 'null ends it');
select is((select outcome from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], p_options => array[pg_temp.enforced()])),
    'ok', 'and the user may send again');

select * from finish();
rollback;
