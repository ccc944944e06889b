begin;
\ir helpers.psql
select plan(17);

select results_eq(
    $$select outcome, created, id, nick, avatar_url, gender, birthday, language, location, signature, level,
             custom, friend_policy
      from duet.user_put('t-ann', 'Ann', 'https://a', 'female', '1990-05-17', 'en', 'Oslo', 'hi', 3,
                         '{"team": "red"}', 'approval')$$,
    $$values ('ok', true, 't-ann', 'Ann', 'https://a', 'female', '1990-05-17', 'en', 'Oslo', 'hi', 3::bigint,
              '{"team": "red"}'::jsonb, 'approval')$$,
    'a new user is made as asked for');
select results_eq(
    $$select h.last_seq from duet.mailbox_head as h join duet.app_user as u on u.user_no = h.owner
      where u.user_id = 't-ann'$$,
    $$values (0::bigint)$$,
    'a new user has an empty mailbox');

create temporary table before as select * from duet.app_user where user_id = 't-ann';
select results_eq(
    $$select outcome, created, nick, avatar_url, gender, birthday, language, location, signature, level,
             custom, friend_policy
      from duet.user_put('t-ann', null, null, null, null, null, null, null, null, null, null)$$,
    $$values ('ok', false, '', '', 'unknown', null::text, '', '', '', 0::bigint, '{}'::jsonb, 'anyone')$$,
    'a user who exists is replaced, and what is null becomes the default');
select results_eq(
    $$select u.user_no, u.created_at from duet.app_user as u where u.user_id = 't-ann'$$,
    $$select user_no, created_at from before$$,
    'a user who is replaced keeps number and creation time');
select cmp_ok(
    (select u.updated_at from duet.app_user as u where u.user_id = 't-ann'), '>', (select updated_at from before),
    'a user who is replaced has a new time of change');

select is((select outcome from duet.user_put('t-x', null, null, null, day, null, null, null, null, null, null)),
    'invalid_request', 'a birthday that is no day is refused: ' || day)
from unnest(array['1990-13-01', '2026-02-30', 'soon']) as day;
select is_empty($$select from duet.app_user where user_id = 't-x'$$, 'a refused user is not made');

select is((select id from duet.user_put('T-ANN', null, null, null, null, null, null, null, null, null, null)),
    'T-ANN', 'ids are told apart by case');
select is((select created from duet.user_put('t-日本/%', null, null, null, null, null, null, null, null, null, null)),
    true, 'ids may hold any printable character');
select is((select created from duet.user_put(repeat('x', 64), null, null, null, null, null, null, null, null, null, null)),
    true, 'ids may have 64 bytes');
select throws_ok(
    format('select duet.user_put(%L, null, null, null, null, null, null, null, null, null, null)', id), '23514',
    null, 'no writer can make an id of ' || what)
from (values ('', 'no bytes'), (repeat('é', 33), '66 bytes'), (E'a\nb', 'a line feed'),
             (U&'a\0085b', 'a C1 control character'))
     as wrong(id, what);
select throws_ok(
    $$select duet.user_put('t-x', null, null, 'other', null, null, null, null, null, null, null)$$, '23514',
    null, 'no writer can store an unknown gender');

select * from finish();
rollback;
