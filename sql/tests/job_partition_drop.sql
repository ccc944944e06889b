-- Days of mailboxes and weeks of the audit go when nobody can read them any more; what is held is kept.
begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
select date_trunc('day', now()) as midnight \gset
select count(*) as n from pg_temp.send(array[:ann, :bob]::bigint[], array[:bob, :ann]::bigint[],
    p_now => :'midnight'::timestamptz + interval '23:59:59') \gset
select count(*) as n from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[],
    p_store_seconds => array[60], p_now => :'midnight') \gset

insert into duet.notification (sender, created_by, kind, options, store_seconds, elements, custom_data, state, send_at, created_at)
select :bob, 'backend', 2, 14, 604800, '["' || state || '"]', 'more', state, now(), now()
from unnest(array['done', 'recalled']) as state;
insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, target_seq)
select :ann, 3 + row_number() over (order by state), :'midnight'::timestamptz + interval '1 hour', :bob, 0, 1, 2, 14, false, notification_no
from duet.notification where created_at = now();
update duet.mailbox_head set last_seq = 5 where owner = :ann;

create function pg_temp.oldest() returns date
language sql as $$ select min(since)::date from duet.partition_of('duet.mailbox') $$;
create function pg_temp.drop_all(p_now timestamptz) returns bigint
language plpgsql as $$
declare
    v_n bigint := 0;
    v_more boolean;
begin
    loop
        select d.more into v_more from duet.job_partition_drop(p_now, false) as d;
        v_n := v_n + 1;
        exit when v_more is not true;
    end loop;
    return v_n;
end
$$;

-- All that is older than this test.
select is(pg_temp.drop_all(:'midnight'::timestamptz + interval '8 days') > 0, true, 'what has expired is dropped');
select is(pg_temp.oldest(), :'midnight'::date - 0, 'the day of the test is kept');
select is((select more from duet.job_partition_drop(:'midnight'::timestamptz + interval '8 days 23:59:59', false)), null,
    'a day is kept until its last message has been hidden for a day');
select is(pg_temp.oldest(), :'midnight'::date, 'it is still there');

-- A rehearsal.
select results_eq(format($$select rows >= 0, bytes > 0, more from duet.job_partition_drop(%L::timestamptz + interval '10 days', true)$$, :'midnight'),
    $$values (true, true, null::boolean)$$, 'a rehearsal tells what would go');
select is(pg_temp.oldest(), :'midnight'::date, 'and nothing goes');

-- A hold.
select is((select outcome || created || reason from duet.hold_put('t-ann', 'Case 1')), 'oktrueCase 1', 'a user is put under a hold');
select is((select outcome || created || reason from duet.hold_put('t-ann', 'Case 2')), 'okfalseCase 2', 'its reason can be changed');
select is((select outcome || reason from duet.hold_get('t-ann')), 'okCase 2', 'and read');
select is((select outcome from duet.hold_get('t-bob')), 'hold_unknown', 'others are under none');
select is((select outcome from duet.hold_put('t-nobody', 'x')), 'user_unknown', 'nobody is nobody');
select is((select outcome from duet.user_delete('t-ann')), 'user_held', 'who is held is not deleted');

select is((select rows from duet.job_message_expire(:'midnight'::timestamptz + interval '2 minutes', false)) >= 2, true, 'a message expires');
select is((select count(*) from duet.held_entry where owner = :ann and elements is not null), 1::bigint, 'after it was kept aside of who is held');
select is(pg_temp.drop_all(:'midnight'::timestamptz + interval '9 days'), 2::bigint, 'the day is dropped, of mailboxes and of archives');
select is(pg_temp.oldest(), :'midnight'::date + 1, 'when its last message is 8 days old');
select results_eq(format($$select seq, elements is not null from duet.held_entry where owner = %s order by seq$$, :ann),
    $$values (1::bigint, true), (2, true), (3, true), (4, true), (5, true)$$,
    'all of a held user''s entries are kept aside, with their contents');
select results_eq(format($$select elements, custom_data, recalled from duet.held_entry where owner = %s and seq > 3 order by seq$$, :ann),
    $$values ('["done"]', 'more', false), ('[]', null, true)$$, 'also where those were a notification''s, unless it was recalled');
select is((select count(*) from duet.held_entry where owner = :bob), 0::bigint, 'nobody else''s');

select is(
    (select string_agg((rest::json ->> 'seq') || case when message_elements is null then '' else ' filled' end, ', ' order by cursor)
     from duet.user_export('t-ann', null, p_now => :'midnight'::timestamptz + interval '9 days') where type = 'entry'),
    '1 filled, 2 filled, 3 filled, 4 filled, 5 filled', 'the export has them');
select is((select count(*) from duet.user_export('t-bob', null, p_now => :'midnight'::timestamptz + interval '9 days') where type = 'entry'),
    0::bigint, 'and of others only what can be read');
select is((select rows from duet.job_held_purge(now(), false)), 0::bigint, 'they stay as long as the hold');
select is((select outcome from duet.hold_delete('t-ann')), 'ok', 'it can be ended');
select is((select outcome from duet.hold_delete('t-ann')), 'ok', 'twice');
select is((select rows from duet.job_held_purge(now(), false)), 5::bigint, 'then they go');
select is((select outcome from duet.user_delete('t-ann')), 'ok', 'and the user can be deleted');

-- A day with much that is held.
select pg_temp.make_user('t-cid') as cid \gset
select outcome as outcome from duet.hold_put('t-cid', 'Case 3') \gset
insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, elements)
select :cid, i, :'midnight'::timestamptz + interval '1 day', :bob, 0, 1, 1, 15, false, '[]' from generate_series(1, 20001) as i;
select pg_temp.drop_all(:'midnight'::timestamptz + interval '9 days') as dropped \gset
select duet.job_partition_drop(:'midnight'::timestamptz + interval '10 days', false) as of_archives \gset
select results_eq(format($$select rows, bytes, more from duet.job_partition_drop(%L::timestamptz + interval '10 days', false)$$, :'midnight'),
    $$values (0::bigint, 0::bigint, true)$$, 'keeping it aside is work for more than a slice');
select is((select count(*) from duet.held_entry where owner = :cid), 20000::bigint, 'that is kept first');
select is(pg_temp.oldest(), :'midnight'::date + 1, 'the day is still there');
select is((select more from duet.job_partition_drop(:'midnight'::timestamptz + interval '10 days', false)), false, 'then it goes');
select is((select count(*) from duet.held_entry where owner = :cid), 20001::bigint, 'when all is kept');
select is(pg_temp.oldest(), :'midnight'::date + 2, 'and it is gone');

-- By a request, which is one transaction.
select count(*) as before from duet.partition_expired(:'midnight'::timestamptz + interval '13 days') \gset
select results_eq(
    format($$select outcome, error, more from duet.job_run('partition_drop', false, %L::timestamptz + interval '13 days')$$, :'midnight'),
    $$values ('ok', null::text, true)$$, 'a request drops what there is');
select is((select count(*) from duet.partition_expired(:'midnight'::timestamptz + interval '13 days')), :before - 1::bigint,
    'but one at a time, as each may lock all mailboxes');

-- Weeks of the audit.
select is((select max(until) <= now() - interval '97 days' from duet.partition_expired(now()) where parent = 'duet.audit_entry'),
    null, 'no week of the audit has expired yet');
select is((select min(now() + interval '200 days' - until) >= interval '97 days' from duet.partition_expired(now() + interval '200 days')
    where parent = 'duet.audit_entry'), true, 'they do 97 days after their end');

select * from finish();
rollback;
