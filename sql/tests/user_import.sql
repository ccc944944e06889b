begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann \gset
select results_eq(
    $$select outcome, id, status, code from duet.user_import('[{"id": "t-new", "nick": "One", "custom": {"a": "b"}},
        {"id": "t-ann", "nick": null, "custom": null}, {"id": "t-bad", "birthday": "2023-02-29"}, {"id": "t-new"}]')$$,
    $$values ('ok', 't-new', 201, null), ('ok', 't-ann', 200, null), ('ok', 't-bad', 200, 'invalid_request'),
             ('ok', 't-new', 200, null)$$,
    'each has its own result, in order');
select results_eq($$select user_id, nick, custom from duet.app_user where user_id ~ '^t-' order by 1$$,
    $$values ('t-ann' collate "C", '', '{}'::jsonb), ('t-new', '', '{}')$$,
    'the last of several with one id stays; what is wrong is not stored');
select is((select count(*) from duet.mailbox_head), (select count(*) from duet.app_user), 'all have a mailbox');

select pg_temp.make_user('t-bob', 'Bob') as bob, pg_temp.make_user('t-gone', 'Gone') as gone \gset
insert into duet.contact (owner, peer, created_at, friend, friend_since)
values (:ann, :bob, now(), true, now()), (:bob, :ann, now(), true, now());
select from duet.user_import('[{"id": "t-ann", "nick": "Anna"}, {"id": "t-gone"}, {"id": "t-bob", "nick": "Bob"}]');
select from duet.user_delete('t-gone');
create function pg_temp.told() returns text
language sql as $$
    select string_agg(u.user_id || ' of ' || p.user_id || ': ' || (m.details::json ->> 'nick'), ', ' order by m.seq, u.user_id)
    from duet.mailbox as m
    join duet.app_user as u on u.user_no = m.owner
    join duet.app_user as p on p.user_no = m.peer
    where m.kind = 28 and u.user_id ~ '^t-'
$$;
select is(pg_temp.told(), null, 'the request itself locks nobody''s mailbox');
select is((select rows from duet.job_profile_announce(now(), true)), 3::bigint, 'a rehearsal says how many have changed');
select results_eq($$select rows, more, pg_temp.told() from duet.job_profile_announce(now(), false)$$,
    $$values (1::bigint, true, 't-ann of t-ann: Anna, t-bob of t-ann: Anna')$$,
    'a job tells the devices of a user and of friends, as the profile is by now; one user at a time');
select is(string_agg(j.more::text, ' '), 'true false false', 'whoever else has changed follows')
from generate_series(1, 3) as i, lateral (select more from duet.job_profile_announce(now() + i * interval '0', false)) as j;
select is(pg_temp.told(), 't-ann of t-ann: Anna, t-bob of t-ann: Anna, t-new of t-new: ', 'who is no more has nothing to tell');
select is((select count(*) from duet.profile_change), 0::bigint, 'and is forgotten');
select is((select count(*) from duet.user_import((select json_agg(json_build_object('id', 't-' || i, 'level', i))
    from generate_series(1, 100) as i)) where status = 201), 100::bigint, '100 are made at once');

select * from finish();
rollback;
