begin;
\ir helpers.psql
select plan(2);

select is(duet.message_horizon('2026-03-31 12:00:00Z'), '2026-03-24 12:00:00Z'::timestamptz, 'messages are kept for roaming_days');
update duet.setting set roaming_days = 2;
set local timezone = 'Europe/Berlin';
select is(duet.message_horizon('2026-03-30 12:00:00Z'), '2026-03-28 12:00:00Z'::timestamptz, 'days have 24 hours, whatever the clocks do');

select * from finish();
rollback;
