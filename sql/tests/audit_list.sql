begin;
\ir helpers.psql
select no_plan();

delete from duet.audit_entry;

-- Twelve entries, a minute apart, the newest an hour ago.
select duet.audit_add(
    't-service-' || i % 2, 'k' || i % 3, '10.0.0.' || i % 4, 't_operation_' || i % 2, '/v1/x/' || i,
    case when i % 3 = 0 then array['t-ann'] end, null, 't-request-' || i, case when i % 4 = 0 then 'user_unknown' else 'ok' end,
    now() - interval '1 hour' - make_interval(mins => i))
from generate_series(1, 12) as i \g /dev/null
select duet.audit_add(null, 'k', 'a', 'o', 'r', null, null, 'q', 'ok') \g /dev/null

-- The numbers of the entries on a page, as they come.
create function pg_temp.page(
    p_filter jsonb default '{}', p_cursor text default null, p_limit bigint default 50, p_now timestamptz default now()
) returns text
language sql as $$
    select string_agg(coalesce(substring(request_id from '[0-9]+'), outcome), ' ' order by n)
    from duet.audit_list(
        p_filter ->> 'subject', p_filter ->> 'key_id', p_filter ->> 'address', p_filter ->> 'operation',
        p_filter ->> 'resource', p_filter ->> 'on_behalf_of', p_filter ->> 'request_id', p_filter ->> 'outcome',
        (p_filter ->> 'since')::timestamptz, (p_filter ->> 'until')::timestamptz, p_cursor, p_limit, p_now
    ) with ordinality as l(outcome, at, subject, key_id, address, operation, resource, on_behalf_of, request_id,
                           entry_outcome, cursor, n)
$$;

select is(pg_temp.page(), '1 2 3 4 5 6 7 8 9 10 11 12', 'newest first; of a user''s own token nothing is kept');
select is(pg_temp.page(filter), entries, format('%s lets these pass', filter))
from (values
    ('{"subject": "t-service-0"}'::jsonb, '2 4 6 8 10 12'),
    ('{"key_id": "k2"}', '2 5 8 11'),
    ('{"address": "10.0.0.3"}', '3 7 11'),
    ('{"operation": "t_operation_1"}', '1 3 5 7 9 11'),
    ('{"resource": "/v1/x/7"}', '7'),
    ('{"on_behalf_of": "t-ann"}', '3 6 9 12'),
    ('{"request_id": "t-request-5"}', '5'),
    ('{"outcome": "user_unknown"}', '4 8 12'),
    ('{"outcome": "ok", "subject": "t-service-0", "on_behalf_of": "t-ann"}', '6'),
    ('{"subject": "nobody"}', 'ok')
) as f(filter, entries);
select is(
    pg_temp.page(jsonb_build_object('since', now() - interval '67 minutes', 'until', now() - interval '63 minutes')),
    '4 5 6 7', 'since is inclusive, until exclusive');

-- Pages, while entries are added.
create function pg_temp.pages(p_limit bigint) returns text
language plpgsql as $$
declare
    v_cursor text;
    v_pages text := '';
begin
    loop
        v_pages := v_pages || pg_temp.page('{}', v_cursor, p_limit) || ',';
        select l.cursor into v_cursor
        from duet.audit_list(null, null, null, null, null, null, null, null, null, null, v_cursor, p_limit) as l
        order by l.at, l.request_id limit 1;
        exit when v_cursor is null;
        perform duet.audit_add('t-late', 'k', 'a', 'o', 'r', null, null, 'late', 'ok');
    end loop;
    return v_pages;
end
$$;
select is(pg_temp.pages(5), '1 2 3 4 5,6 7 8 9 10,11 12,ok,', 'pages neither repeat nor leave out');
delete from duet.audit_entry where request_id = 'late';

-- What is rare among many.
insert into duet.audit_entry (at, subject, key_id, address, operation, resource, request_id, outcome)
select now() - interval '2 hours' - i * interval '1 ms', 't-busy', case when i = 15000 then 't-rare' else 'k' end, 'a', 'o', 'r',
       't-request-' || i, 'ok'
from generate_series(1, 20000) as i;
create function pg_temp.steps(p_filter jsonb) returns text
language plpgsql as $$
declare
    v_cursor text;
    v_pages text := '';
begin
    loop
        v_pages := v_pages || pg_temp.page(p_filter, v_cursor) || ',';
        select l.cursor into v_cursor
        from duet.audit_list(
            p_filter ->> 'subject', p_filter ->> 'key_id', null, null, null, null, null, null, null, null, v_cursor, 50
        ) as l
        where l.at is null;
        exit when v_cursor is null;
    end loop;
    return v_pages;
end
$$;
select is(pg_temp.steps('{"key_id": "t-rare"}'), 'ok,15000 ok,ok,', 'what no index finds is looked for by and by');
select is(pg_temp.steps('{"key_id": "t-rare", "subject": "t-busy"}'), 'ok,15000 ok,ok,', 'also where an index leaves many');
select is(pg_temp.steps('{"key_id": "t-rare", "subject": "t-service-0"}'), 'ok,', 'where it leaves few, that is all');
select is(pg_temp.page('{"key_id": "t-rare"}', cursor, 1), '15000', 'a page that is full has no such row')
from duet.audit_list(null, 't-rare', null, null, null, null, null, null, null, null, null, 1);
delete from duet.audit_entry where subject = 't-busy';

-- Many at one moment: their numbers tell them apart.
update duet.audit_entry set at = now() - interval '30 minutes';
select is(
    (select string_agg(pg_temp.page('{}', cursor, 1), ' ' order by n)
     from duet.audit_list(null, null, null, null, null, null, null, null, null, null, null, 50)
         with ordinality as l(outcome, at, subject, key_id, address, operation, resource, on_behalf_of, request_id,
                              entry_outcome, cursor, n)),
    '11 10 9 8 7 6 5 4 3 2 1 ok', 'a cursor goes between entries of the same moment');

select is(pg_temp.page('{}', cursor), 'cursor_invalid', format('the cursor %L is refused', cursor))
from unnest(array['', '1', 'x.1', '1.x', '1.2.3', '-1.2', '12345678901234567.1']) as cursor;

-- 90 days, to the second.
select isnt(pg_temp.page(p_now => now() + interval '2159 hours 30 minutes'), 'ok', 'entries of 90 days are there');
select is(pg_temp.page(p_now => now() + interval '2159 hours 30 minutes 1 second'), 'ok',
    'older ones are not, though they are stored');
select is(count(*), 12::bigint, 'that is, they are') from duet.audit_entry;

select * from finish();
rollback;
