-- Plans that sending relies on, whatever the tables' statistics say when they are made.
begin;
\ir helpers.psql
select no_plan();

create function pg_temp.explain(p_statement text) returns setof text
language plpgsql
set search_path = duet, pg_temp
as $$
begin
    return query execute 'explain (costs off) ' || p_statement;
end
$$;

-- Planning settings for the rest of the transaction as the function has them.
create function pg_temp.set_as(p_function regproc) returns void
language plpgsql as $$
begin
    perform set_config(name, reset_val, true) from pg_settings
    where name ~ '^enable_' or name = 'plan_cache_mode';
    perform set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true)
    from pg_proc, unnest(proconfig) as setting
    where oid = p_function and setting !~ '^search_path';
end
$$;

-- ---- heads are locked in ascending order of owner ----

-- The statement as it stands in the function, with parameters in place of the variables.
create temporary table allocation as
select regexp_replace(
    replace(replace(replace(replace(replace(
        substring(prosrc from 'with entry as.*?\) as t;'),
        'into v_slot, v_seq, v_watched', ''), 'v_owner', '$1'), 'v_outcome', '$2'), 'p_options', '$3'), 'v_n', '$4'),
    ';', '') as statement
from pg_proc where oid = 'duet.message_send_batch'::regproc;

-- Planned anew with the function's settings.
create function pg_temp.plan_of_allocation() returns text
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v_plan text;
begin
    perform pg_temp.set_as('duet.message_send_batch');
    execute 'prepare allocation (bigint[], text[], bigint[], integer) as ' || (select statement from allocation);
    select string_agg(regexp_replace(line, '^ +', ''), E'\n') into v_plan
    from pg_temp.explain($e$execute allocation ('{4,2,2,3}', null, '{15,15}', 2)$e$) as line;
    deallocate allocation;
    return v_plan;
end
$$;

-- A sorted list outside, one probe inside; or, where there are next to no users, all heads in order.
create function pg_temp.locks_in_order() returns boolean
language sql as $$
    select pg_temp.plan_of_allocation() ~ (
        'CTE need\n->  GroupAggregate\nGroup Key: [^\n]*\n->  Sort\n(.*\n)*'
        'CTE head\n->  Update on mailbox_head h\n->  Nested Loop\n(Join Filter: [^\n]*\n)?'
        '(->  CTE Scan on need\n->  Index Scan using mailbox_head_pkey on mailbox_head h\n'
        '|->  Index Scan using mailbox_head_pkey on mailbox_head h\n)')
$$;

select ok(pg_temp.locks_in_order(), 'heads are locked in order, as the table is');
select diag(pg_temp.plan_of_allocation()) where not pg_temp.locks_in_order();
insert into duet.mailbox_head select -i from generate_series(1, 20000) as i;
select ok(pg_temp.locks_in_order(), 'heads are locked in order, after many new users');
select diag(pg_temp.plan_of_allocation()) where not pg_temp.locks_in_order();
analyze duet.mailbox_head;
select ok(pg_temp.locks_in_order(), 'heads are locked in order, with many users known');
select diag(pg_temp.plan_of_allocation()) where not pg_temp.locks_in_order();
select ok(pg_temp.plan_of_allocation() ~ 'CTE Scan on need\n->  Index Scan using mailbox_head_pkey',
    'with many users, one probe for each of the batch');

-- ---- a notification locks them in the same order ----

create temporary table delivery as
select replace(substring(prosrc from 'with need as.*?returning h.owner, h.last_seq'), 'v_owner', '$1')
    || ') select * from head' as statement
from pg_proc where oid = 'duet.notification_deliver'::regproc;

create function pg_temp.plan_of_delivery() returns text
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v_plan text;
begin
    perform pg_temp.set_as('duet.notification_deliver');
    execute 'prepare delivery (bigint[]) as ' || (select statement from delivery);
    select string_agg(regexp_replace(line, '^ +', ''), E'\n') into v_plan
    from pg_temp.explain($e$execute delivery ('{4,2,3}')$e$) as line;
    deallocate delivery;
    return v_plan;
end
$$;

select ok(pg_temp.plan_of_delivery() ~ (
    'CTE need\n->  Sort\n(.*\n)*CTE head\n->  Update on mailbox_head h\n->  Nested Loop\n'
    '->  CTE Scan on need\n->  Index Scan using mailbox_head_pkey on mailbox_head h\n'),
    'a notification locks heads in order, by one probe for each of the slice');
select diag(pg_temp.plan_of_delivery()) where pg_temp.plan_of_delivery() !~ 'CTE Scan on need\n->  Index Scan';

-- ---- a day that starts empty does not stay slow ----

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset

-- Rows of the partition of the day that sending p_batches of 100 between two users, retries included, has
-- looked at in one session, whose plans are made while the partition is empty.
create function pg_temp.rows_read(p_sender bigint, p_receiver bigint, p_at timestamptz, p_batches integer)
returns bigint
language plpgsql as $$
declare
    v_read bigint;
begin
    for b in 1 .. p_batches loop
        perform pg_temp.send(
            array(select case when i % 2 = 0 then p_sender else p_receiver end from generate_series(1, 100) as i),
            array(select case when i % 2 = 0 then p_receiver else p_sender end from generate_series(1, 100) as i),
            array(select to_char(p_at, 'DD ') || b * 90 + i from generate_series(1, 100) as i),
            p_now => p_at);
    end loop;
    select coalesce(sum(seq_tup_read + idx_tup_fetch), 0) into v_read
    from pg_stat_xact_all_tables
    where relid = ('duet.mailbox_p' || to_char(p_at at time zone 'UTC', 'YYYY_MM_DD'))::regclass;
    return v_read;
end
$$;

select is(count(*), 1::bigint, 'the two know each other') from pg_temp.send(array[:ann]::bigint[], array[:bob]::bigint[]);
discard plans;
select cmp_ok(pg_temp.rows_read(:ann, :bob, now() + interval '3 days', 20), '<', 1000::bigint,
    'filling an empty day looks at nothing but what is repeated');
select 'duet.mailbox_p' || to_char(now() at time zone 'UTC' + interval '4 days', 'YYYY_MM_DD') as day \gset
analyze :day;
discard plans;
select cmp_ok(pg_temp.rows_read(:ann, :bob, now() + interval '4 days', 20), '<', 1000::bigint,
    'nor when the day is known to be empty');

-- ---- pages of history come from an index, in order ----

create temporary table page as
select substring(s from 'open v_day_entries for\s(.*)') as statement
from pg_proc, regexp_split_to_table(prosrc, ';') as s
where oid = 'duet.message_page'::regproc and s ~ 'open v_day_entries for';
update page set statement = replace(replace(replace(replace(replace(replace(statement,
    'p_owner', '1'), 'p_peer', '2'), 'v_beyond_seq', '9'), 'v_since', $$'2000-01-01'$$), 'v_until', $$'2100-01-01'$$),
    'v_to_look_at', '10000');
select is(count(*), 4::bigint, 'there are four ways to page') from page;
select pg_temp.set_as('duet.message_page') is not null as set \g /dev/null
select is_empty(
    $$select line from page, pg_temp.explain(statement) as line where line ~ '->  (Sort|Seq Scan|Bitmap)'$$,
    'none sorts, or reads whole tables');
select is(
    (select count(*) from page where statement ~ 'peer' and exists (
        select from pg_temp.explain(statement) as line where line ~ 'using mailbox_p[0-9_]+_owner_peer_seq_idx')
     and not exists (select from pg_temp.explain(statement) as line where line ~ 'mailbox_p[0-9_]+_pkey')),
    2::bigint, 'pages with a peer are read by the index of peers, also where nothing is known of the tables');

-- ---- so do pages of the audit, by the first filter that has one ----

insert into duet.audit_entry (at, subject, key_id, address, operation, resource, on_behalf_of, request_id, outcome)
select now() - make_interval(secs => i), 'x-' || i % 500, 'k', 'a', 'x-' || i % 500, '/v1/x', 'x-' || i % 500,
       'x-' || i, 'ok'
from generate_series(1, 20000) as i;
analyze duet.audit_entry;

-- Of the statement as it stands in the function, with a value for one filter and null for the others.
create function pg_temp.plan_of_audit(p_filter text) returns text
language plpgsql as $$
declare
    v_statement text := (
        select substring(prosrc from 'select\s+''ok'', a.*limit v_most')
        from pg_proc where oid = 'duet.audit_list'::regproc);
begin
    v_statement := regexp_replace(v_statement, 'p_' || p_filter || '\M', '''x-7''', 'g');
    v_statement := regexp_replace(v_statement, 'v_most', '10000');
    v_statement := regexp_replace(v_statement, '\mp_\w+', 'null::text', 'g');
    v_statement := replace(replace(v_statement, 'v_beyond_at', 'now()'), 'v_beyond_id', '0');
    v_statement := replace(replace(v_statement, 'v_since', '''2000-01-01'''), 'v_until', 'now()');
    return (select string_agg(line, E'\n') from pg_temp.explain(v_statement) as line);
end
$$;

select pg_temp.set_as('duet.audit_list') is not null as set \g /dev/null
create temporary table audit_plan as
select filter, pg_temp.plan_of_audit(filter) as plan
from unnest(array['subject', 'operation', 'on_behalf_of', 'request_id', 'nothing']) as filter;
select ok(plan !~ '->  (Sort|Seq Scan|Bitmap)', 'the audit is read in order, filtered by ' || filter) from audit_plan;
select ok(plan ~ ('Index Cond: [^\n]*\m' || filter || ' ='), 'and by the index, filtered by ' || filter)
from audit_plan where filter <> 'nothing';
select diag(plan) from audit_plan
where plan ~ '->  (Sort|Seq Scan|Bitmap)' or (filter <> 'nothing' and plan !~ ('Index Cond: [^\n]*\m' || filter || ' ='));

-- ---- unread messages and conversations are looked up by peer ----

select is_empty(
    $$select oid::regprocedure from pg_proc
      where pronamespace = 'duet'::regnamespace and prosrc ~ 'm\.peer = [^;]*order by m\.seq'$$,
    'nothing in the order of numbers asks for a peer by equality, which the whole mailbox would do for');

select pg_temp.set_as('duet.unread_get') is not null as set \g /dev/null
create temporary table unread_plan as
select line from pg_temp.explain($e$
    select * from duet.contact as c
    cross join lateral duet.conversation_unread(1, c.peer, c.read_seq, now() - interval '7 days', now()) as n
    where c.owner = 1$e$) as line;
select is_empty($$select line from unread_plan where line ~ '->  (Sort|Seq Scan|Bitmap)|Function Scan'$$,
    'counting unread messages is taken up into the statement, and sorts nothing');
select cmp_ok(count(*), '>=', 8::bigint, 'it reads one peer''s entries') from unread_plan
where line ~ 'Index Scan Backward using mailbox_p[0-9_]+_owner_peer_seq_idx';

-- ---- the messages of an hour are found by a summary of times ----

insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, elements)
select -(i % 100 + 1), 5000000 + i, date_trunc('day', now(), 'UTC') - interval '2 days' + i * interval '2 seconds', -1, 0, i, 1, 15,
       false, repeat('m', 200)
from generate_series(1, 40000) as i;
select pg_temp.set_as('duet.archive_open') is not null as set \g /dev/null
prepare of_a_minute (timestamptz, timestamptz) as
select e.id_receiver, s.user_id, r.user_id
from duet.message_entry as e
left join duet.app_user as s on s.user_no = e.id_sender
left join duet.app_user as r on r.user_no = e.id_receiver
where e.sent_at >= $1 and e.sent_at < $2 and e.kind_no < 16;
create function pg_temp.plan_of_a_minute() returns text
language sql as $$
    select string_agg(line, E'\n')
    from pg_temp.explain($e$execute of_a_minute (
        date_trunc('day', now(), 'UTC') - interval '40 hours', date_trunc('day', now(), 'UTC') - interval '2399 minutes')$e$) as line
$$;
select ok(
    pg_temp.plan_of_a_minute() ~ 'Bitmap Index Scan on mailbox_p[0-9_]*_sent_at_idx' and pg_temp.plan_of_a_minute() !~ 'Append|Seq Scan',
    'in one day, without reading all of it');

select * from finish();
rollback;
