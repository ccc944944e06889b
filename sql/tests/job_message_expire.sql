begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
select now() - interval '3 hours' as sent \gset
select count(*) as n from pg_temp.send(array[:ann, :ann, :ann]::bigint[], array[:bob, :bob, :bob]::bigint[],
    array['a', 'b', 'c'], p_store_seconds => array[3600, 7200, 604800], p_now => :'sent') \gset

create function pg_temp.filled() returns text
language sql as $$
    select string_agg(case when elements is null then '-' else 'x' end, '' order by outgoing, seq) from duet.mailbox
    where peer in (select user_no from duet.app_user where user_id in ('t-ann', 't-bob'))
$$;

-- In a test nothing else expires but what the test made.
update duet.mailbox set expires_at = null where peer not in (:ann, :bob);

select is((select rows from duet.job_message_expire(:'sent'::timestamptz + interval '1 hour 59 seconds', false)), 0::bigint,
    'nothing goes before its time and a minute');
select is((select rows from duet.job_message_expire(:'sent'::timestamptz + interval '1 hour 1 minute', true)), 2::bigint,
    'a rehearsal tells what would go');
select is((select rows from duet.job_message_expire(:'sent'::timestamptz + interval '1 hour 1 minute', false)), 0::bigint,
    'and it is not undone by itself');
select is(pg_temp.filled(), '-xx-xx', 'both copies have no contents any more');
select results_eq($$select rows, bytes > 0, more from duet.job_message_expire(now(), false)$$,
    $$values (2::bigint, true, false)$$, 'the next goes in its time');
select is(pg_temp.filled(), '--x--x', 'those without store_seconds stay');
select is(pg_temp.with_gaps(), 0::bigint, 'numbers are without gaps');
select is(
    (select array_agg(replayed order by item) from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[], array['a'])),
    array[true], 'and a message that is sent again is known');

select * from finish();
rollback;
