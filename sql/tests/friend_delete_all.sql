begin;
\ir helpers.psql
select plan(14);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
select count(pg_temp.make_user('t-' || n)) as made from generate_series(1, 202) as n \gset

create function pg_temp.step(p_one_way boolean) returns text
language sql as $$select concat_ws(' ', outcome, removed, more) from duet.friend_delete_all('t-ann', p_one_way)$$;

select is((select count(*) from generate_series(1, 202) as n, duet.friend_put('t-ann', 't-' || n, n > 101, 'x', null, null)
           where outcome = 'ok'), 202::bigint, 'many friends, some on one side alone');
select is((select outcome from duet.friend_put('t-bob', 't-ann', true, 'A', null, null)), 'ok', 'one has Ann as a friend');
select last_seq as before from duet.mailbox_head where owner = :ann \gset

select is(pg_temp.step(false), 'ok 200 t', 'so many at once, and there are more');
select is(pg_temp.step(false), 'ok 2 f', 'then the rest');
select is(pg_temp.step(false), 'ok 0 f', 'again it changes nothing');

select is((select count(*) from duet.contact where friend and (owner = :ann or peer = :ann)), 1::bigint,
    'no friends on either side');
select is((select remark from duet.contact where friend and peer = :ann), 'A', 'but those whom Ann did not have');
select is(
    (select array_agg(distinct concat_ws(' ', m.kind, seq > :before)) from duet.mailbox as m where owner = :ann and seq > :before),
    '{23 t}', 'the own devices learn of each');
select is((select count(distinct peer) from duet.mailbox where owner = :ann and seq > :before and kind = 23), 202::bigint,
    'once');
select is((select count(*) from duet.mailbox where peer = :ann and kind = 23), 101::bigint,
    'only who has lost a friend learns of it');

select is((select outcome from duet.friend_put('t-ann', 't-bob', false, 'B', null, null)), 'ok', 'friends again');
select is(pg_temp.step(true), 'ok 1 f', 'the friend goes');
select is((select relation from duet.friend_check('t-ann', '{t-bob}')), 'incoming', 'one way leaves the other side');
select is((select outcome from duet.friend_delete_all('t-none', true)), 'user_unknown', 'who is not there is named');

select * from finish();
rollback;
