begin;
\ir helpers.psql
select plan(5);

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
select is((select count(*) from duet.mailbox where owner = :ann and kind = 28), 1::bigint,
    'devices of who was there learn of a new nick');
select is((select count(*) from duet.user_import((select json_agg(json_build_object('id', 't-' || i, 'level', i))
    from generate_series(1, 100) as i)) where status = 201), 100::bigint, '100 are made at once');

select * from finish();
rollback;
