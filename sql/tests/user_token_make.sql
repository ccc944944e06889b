begin;
\ir helpers.psql
select plan(7);

select pg_temp.make_user('t-ann') as ann \gset
select is((duet.user_token_make('t-ann', null)).outcome, 'ok', 'a user may have a token');
select is((duet.user_token_make('t-x', null)).outcome, 'user_unknown', 'who is not there may not');
select is((duet.user_token_make('t-ann', 'phone', '2026-01-01 12:00:00.5Z')).issued_at, '2026-01-01 12:00:00.5Z',
    'it is issued now, also for a device that has never logged in');

select (duet.device_put('t-ann', 'phone', 'ios', null, null, null, null, null)).outcome \g /dev/null
update duet.device set kicked_at = '2026-01-01 12:00:00.2Z' where owner = :ann;
select is((duet.user_token_make('t-ann', 'phone', '2026-01-01 12:00:00.5Z')).issued_at, '2026-01-01 12:00:01Z',
    'where the device was kicked in this second, in the next, so that it counts');
select is((duet.user_token_make('t-ann', null, '2026-01-01 12:00:00.5Z')).issued_at, '2026-01-01 12:00:01Z',
    'so is one for any device');
select is((duet.user_token_make('t-ann', 'other', '2026-01-01 12:00:00.5Z')).issued_at, '2026-01-01 12:00:00.5Z',
    'not for another device');
update duet.app_user set tokens_valid_from = '2026-01-01 12:00:01Z' where user_no = :ann;
select is((duet.user_token_make('t-ann', null, '2026-01-01 12:00:00.5Z')).issued_at, '2026-01-01 12:00:01Z',
    'and so where all were made void');

select * from finish();
rollback;
