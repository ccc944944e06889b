begin;
\ir helpers.psql
select no_plan();

update duet.setting set version = 7, messaging = 'anyone', recall_seconds = 120, offline_days = 7, updated_at = '2026-01-01Z';

select is(etag, '"7"', 'the entity tag is the version') from duet.settings_get();

select is(outcome, 'precondition_required', 'who does not say which state is meant is refused')
from duet.settings_patch(null, '{"recall_seconds": 5}');
select is(outcome, 'precondition_failed', 'nor does it count when it is ' || tag)
from unnest(array['"6"', '"70"', '7', 'W/7', '"7', '', ',', '"*"']) as tag, duet.settings_patch(tag, '{"recall_seconds": 5}');
select is(recall_seconds, 120, 'nothing has changed') from duet.settings_get();

select results_eq(
    $$select outcome, etag, recall_seconds, messaging, updated_at
      from duet.settings_patch('"7"', '{"recall_seconds": 5, "messaging": "friends"}', '2026-02-01Z')$$,
    $$values ('ok', '"8"', 5, 'friends', '2026-02-01Z'::timestamptz)$$,
    'what is named changes, and the version');
select results_eq(
    $$select outcome, etag, recall_seconds, messaging from duet.settings_patch('W/"8"', '{"offline_days": 3}')$$,
    $$values ('ok', '"9"', 5, 'friends')$$,
    'what is not named stays; a weak tag is the same');
select results_eq(
    $$select outcome, etag from duet.settings_patch('"1", "9"', '{"offline_days": 3}')$$,
    $$values ('ok', '"9"')$$,
    'a change to the same is none; one tag of a list is enough');
select results_eq(
    $$select outcome, etag from duet.settings_patch('*', '{}')$$, $$values ('ok', '"9"')$$, 'nor is an empty one');
select results_eq(
    $$select outcome, etag, recall_seconds, messaging
      from duet.settings_patch('*', '{"recall_seconds": null, "messaging": null}')$$,
    $$values ('ok', '"10"', 120, 'anyone')$$,
    'null brings the default back');

-- All at once, against a row that the table makes by itself.
select duet.settings_patch('*', $${
    "messaging": null, "roaming_days": null, "offline_days": null, "offline_per_contact": null,
    "recent_contacts": null, "recall_seconds": null, "friends_per_user": null, "blocks_per_user": null,
    "friend_request_days": null, "sessions": null, "sessions_limit": null}$$) \g /dev/null
create temporary table patched as select to_jsonb(s) - 'version' - 'updated_at' as state from duet.setting as s;
delete from duet.setting;
insert into duet.setting default values;
select is(to_jsonb(s) - 'version' - 'updated_at', (select state from patched), 'the defaults are those of the columns')
from duet.setting as s;
select results_eq(
    $$select key collate "C" from jsonb_object_keys(to_jsonb((select g from duet.settings_get() as g))) as key
      where key not in ('outcome', 'etag') order by 1$$,
    $$select attname::text collate "C" from pg_attribute
      where attrelid = 'duet.setting'::regclass and attnum > 0 and not attisdropped and attname not in ('one', 'version')
      order by 1$$,
    'every setting is told');

select * from finish();
rollback;
