begin;
\ir helpers.psql
select plan(20);

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob,
    pg_temp.make_user('t-cid', 'Cid') as cid \gset
insert into duet.contact (owner, peer, friend, friend_since, created_at)
values (:ann, :bob, true, now(), now()), (:bob, :ann, true, now(), now()),
    (:ann, :cid, true, now(), now()), (:cid, :ann, false, null, now());

select is((select outcome from duet.user_patch('t-x', '{}')), 'user_unknown', 'who is not there cannot be changed');
select results_eq(
    $$select outcome, pointer from duet.user_patch('t-ann', '{"nick": "Eve"}', 't-bob')$$,
    $$values ('forbidden', null::text)$$, 'a user changes no other');
select results_eq(
    $$select outcome, pointer from duet.user_patch('t-ann', '{"nick": "Eve", "level": 1}', 't-ann')$$,
    $$values ('forbidden', '/level')$$, 'nor the own level');
savepoint forbidden;
select is((select outcome from duet.user_patch('t-ann', '{"custom": {"im_admin_forbid_type": "AdminForbid_Type_SendOut"}}')), 'ok',
    'the back end may forbid to ask to be friends');
select is((select concat_ws(' ', outcome, pointer) from duet.user_patch('t-ann', '{"custom": {"im_admin_forbid_type": null}}', 't-ann')),
    'forbidden /custom/im_admin_forbid_type', 'which the user does not lift');
select is((select concat_ws(' ', outcome, pointer) from duet.user_patch('t-ann', '{"custom": null}', 't-ann')),
    'forbidden /custom/im_admin_forbid_type', 'not with all the rest either');
rollback to forbidden;
select results_eq(
    $$select outcome, pointer from duet.user_patch('t-ann', '{"nick": "Eve", "birthday": "2023-02-29"}')$$,
    $$values ('invalid_request', '/birthday')$$, 'a birthday that is no day is refused');
select results_eq(
    $$select outcome, pointer from duet.user_patch('t-ann', jsonb_build_object('nick', 'Eve', 'custom',
          (select jsonb_object_agg('n' || i, '') from generate_series(1, 65) as i)))$$,
    $$values ('invalid_request', '/custom')$$, '65 names of custom are refused');
select results_eq('select nick, level, custom from duet.app_user where user_no = ' || :ann,
    $$values ('Ann', bigint '0', '{}'::jsonb)$$, 'a refusal changes nothing');
select is((select count(*) from duet.mailbox where kind = 28), 0::bigint, 'and tells nobody');

select results_eq(
    $$select outcome, nick, avatar_url, gender, birthday, language, location, signature, level, custom, friend_policy
      from duet.user_patch('t-ann', '{"nick": "Anna", "avatar_url": "https://a", "gender": "female",
          "birthday": "1990-05-17", "language": "en", "location": "Oslo", "signature": "hi", "level": 3,
          "custom": {"a": "1", "b": "2"}, "friend_policy": "nobody"}')$$,
    $$values ('ok', 'Anna', 'https://a', 'female', '1990-05-17', 'en', 'Oslo', 'hi', 3::bigint,
              '{"a": "1", "b": "2"}'::jsonb, 'nobody')$$, 'all can be changed');
select results_eq(
    $$select outcome, nick, birthday, custom from duet.user_patch('t-ann', '{"custom": {"b": null, "c": "3"}}', 't-ann')$$,
    $$values ('ok', 'Anna', '1990-05-17', '{"a": "1", "c": "3"}'::jsonb)$$, 'what is not named stays; custom is merged');
select results_eq(
    format($$select m.owner, m.seq, m.peer, m.details::jsonb from duet.mailbox as m where m.kind = 28 order by m.owner$$),
    format($$values (%1$s::bigint, 1::bigint, %1$s::bigint, '{"nick": "Anna", "avatar_url": "https://a"}'::jsonb),
                    (%2$s, 1, %1$s, '{"nick": "Anna", "avatar_url": "https://a"}')$$, :ann, :bob),
    'the own devices and those of mutual friends learn of a new nick, once');

update duet.setting set friends_per_user = 1;
update duet.contact set friend = true, friend_since = now() + interval '1 day' where owner = :cid;
update duet.contact set friend_since = now() + interval '1 day' where owner = :ann and peer = :cid;
select is((select outcome from duet.user_patch('t-ann', '{"nick": null}')), 'ok', 'null is the default');
select results_eq(
    'select m.owner from duet.mailbox as m where m.kind = 28 and m.seq = 2 order by 1',
    format('values (%s::bigint), (%s)', :ann, :bob), 'no more than friends_per_user are told');

select results_eq(
    $$select outcome, nick, avatar_url, gender, birthday, language, location, signature, level, custom, friend_policy
      from duet.user_patch('t-ann', '{"nick": null, "avatar_url": null, "gender": null, "birthday": null,
          "language": null, "location": null, "signature": null, "level": null, "custom": null, "friend_policy": null}')$$,
    $$values ('ok', '', '', 'unknown', null::text, '', '', '', 0::bigint, '{}'::jsonb, 'anyone')$$,
    'null puts each back to its default');
select is((select outcome from duet.user_put('t-bob', 'Bob', null, null, null, null, null, null, 4, null, null)), 'ok',
    'a profile is replaced');
select is((select count(*) from duet.mailbox where kind = 28 and peer = :bob), 0::bigint,
    'with the same nick and avatar, nobody is told');
select is((select outcome from duet.user_put('t-bob', 'Rob', null, null, null, null, null, null, 4, null, null)), 'ok',
    'a profile is replaced');
select is((select count(*) from duet.mailbox where kind = 28 and peer = :bob), 2::bigint,
    'with another nick, friends and the own devices are');

select * from finish();
rollback;
