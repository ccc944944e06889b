begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob,
       pg_temp.make_user('t-cid') as cid \gset

insert into duet.user_tag select :ann, 'tag-' || i, now() from generate_series(1, 3) as i;
insert into duet.user_tag values (:bob, 'secret-tag', now());
insert into duet.friend_group values (:ann, 'tea', now()), (:bob, 'secret-group', now());
insert into duet.friend_request (owner, outgoing, peer, text, remark, created_at, expires_at)
values (:ann, true, :cid, 'hello', 'my-remark', now(), now() + interval '1 day'),
       (:ann, false, :bob, 'hi', '', now(), now() + interval '1 day'),
       (:bob, true, :ann, 'hi', 'secret-remark', now(), now() + interval '1 day');
select count(*) from pg_temp.send(
    array(select case when i % 2 = 0 then :ann else :bob end from generate_series(1, 20) as i)::bigint[],
    array(select case when i % 2 = 0 then :bob else :ann end from generate_series(1, 20) as i)::bigint[]) \g /dev/null
select count(*) from pg_temp.send(array[:bob]::bigint[], array[:cid]::bigint[], p_elements => array['"secret-elements"']) \g /dev/null
update duet.contact set remark = 'Robert', friend = true, friend_since = now() where owner = :ann;
update duet.contact set remark = 'secret-name' where owner = :bob;
select duet.mailbox_lock(array[:ann]::bigint[]) \g /dev/null
select duet.entry_add(array[:ann]::bigint[], array[:bob]::bigint[], 21, now(), '{"x": 1}') \g /dev/null
select duet.audit_add('t-service', 'secret-key', 'secret-address', 'user_put', '/v1/users/t-ann', array['t-ann'], null, 'q', 'ok') \g /dev/null
select duet.audit_add('t-service', 'k', 'a', 'user_put', '/v1/users/t-bob', array['t-bob'], null, 'secret-request', 'ok') \g /dev/null

-- All lines, by calls of p_limit rows; after the first call something more happens.
create function pg_temp.export(p_user text, p_limit bigint default 500, p_bytes bigint default 1000000, p_then text default '')
returns table (n bigint, calls bigint, type text, rest jsonb, message_id_receiver_seq bigint, message_elements text)
language plpgsql as $$
declare
    v_cursor text;
    v_row record;
begin
    n := 0;
    calls := 0;
    loop
        calls := calls + 1;
        for v_row in select * from duet.user_export(p_user, v_cursor, p_limit, p_bytes, clock_timestamp()) loop
            if v_row.outcome <> 'ok' then
                raise 'outcome %', v_row.outcome;
            end if;
            n := n + 1;
            type := v_row.type;
            rest := v_row.rest;
            message_id_receiver_seq := v_row.message_id_receiver_seq;
            message_elements := v_row.message_elements;
            v_cursor := v_row.cursor;
            return next;
        end loop;
        exit when v_cursor is null;
        if calls = 1 then
            execute p_then;
        end if;
    end loop;
end
$$;

select (duet.device_put('t-ann', 'phone', 'ios', null, null, null, null, null)).outcome \g /dev/null
create temporary table whole as select * from pg_temp.export('t-ann');
select is(max(calls), 1::bigint, 'a small export is one call') from whole;
select results_eq(
    'select type, count(*) from whole group by type order by min(n)',
    $$values ('user', 1::bigint), ('tag', 3), ('contact', 1), ('friend_group', 1), ('friend_request', 2), ('device', 1),
             ('entry', 21), ('audit', 1), ('end', 1)$$,
    'section after section');
select is(rest -> 'lines', to_jsonb(n - 1), 'the end says how many lines there were') from whole where type = 'end';
select is(rest ->> 'nick', 'Ann', 'the profile') from whole where type = 'user';
select is(rest ->> 'remark', 'Robert', 'a contact') from whole where type = 'contact';
select results_eq(
    $$select (rest ->> 'seq')::bigint, rest ->> 'kind', message_elements is not null from whole where type = 'entry' order by n$$,
    $$select i::bigint, case i when 21 then 'friend_added' else 'message' end, i <> 21 from generate_series(1, 21) as i$$,
    'entries of all kinds, in order');
select is(rest -> 'details', '{"x": 1}', 'what an entry says') from whole where rest ->> 'kind' = 'friend_added';
select is_empty($$select from whole as w where w::text ~ 'secret'$$, 'nothing of others, nor of the service but its name');

select is_empty(
    format($$select n, type, rest, message_elements from pg_temp.export('t-ann', %s, %s)
             except select n, type, rest, message_elements from whole$$, p_limit, p_bytes),
    format('pages of %s rows or %s bytes hold the same', p_limit, p_bytes))
from (values (1, 1000000), (2, 1000000), (3, 1000000), (7, 1000000), (500, 1), (500, 300)) as p(p_limit, p_bytes);
select is(max(n), (select max(n) from whole), 'and all of it') from pg_temp.export('t-ann', 1);
select is(max(calls), 32::bigint, 'a row a call, if it must be') from pg_temp.export('t-ann', 500, 1);

select is_empty(
    format($$select n, type, rest from pg_temp.export('t-ann', 2, 1000000,
        'select count(*) from pg_temp.send(array[%s]::bigint[], array[%s]::bigint[]);
         select duet.audit_add(''t-service'', ''k'', ''a'', ''o'', ''r'', array[''t-ann''], null, ''q'', ''ok'')')
        except select n, type, rest from whole$$, :bob, :ann),
    'what comes meanwhile is not waited for');
select throws_ok(
    format($$select pg_temp.export('t-ann', 2, 1000000, 'delete from duet.app_user where user_no = %s')$$, :ann),
    'P0001', 'outcome user_unknown', 'a user who goes away meanwhile ends the export');
select throws_ok($$select pg_temp.export('t-nobody')$$, 'P0001', 'outcome user_unknown', 'nobody has no export');

-- What can no longer be read.
update duet.mailbox set expires_at = now() - interval '1 second' where owner = :ann and seq = 1;
update duet.mailbox set deleted = true where owner = :ann and seq = 2;
select is(min((rest ->> 'seq')::bigint), 3::bigint, 'what has expired or was removed is not told')
from pg_temp.export('t-ann') where type = 'entry';
select is(count(*), 0::bigint, 'nor what is too old')
from duet.user_export('t-ann', null, 500, 1000000, now() + interval '8 days') where type = 'entry';

update duet.app_user set muted_until = 'infinity' where user_no = :ann;
select is(rest ->> 'muted_until', 'infinity', 'muted for good') from pg_temp.export('t-ann') where type = 'user';

-- A new table of what users own belongs into the export, and here.
select results_eq(
    $$select c.relname::text collate "C" from pg_class as c
      where c.relnamespace = 'duet'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        and c.relname not like '%_template'
        and exists (select from pg_attribute as a
                    where a.attrelid = c.oid and a.attname in ('owner', 'user_no') and not a.attisdropped)
      order by 1$$,
    $$values ('app_user' collate "C"), ('contact'), ('conversation_group'), ('device'),
             ('erasure'), -- of users who are no more
             ('friend_group'), ('friend_request'), ('held_entry'),
             ('hold'), -- why somebody is held is not the user's to know
             ('mailbox'),
             ('mailbox_head'), -- a number only
             ('message_extension'),
             ('notification_newcomer'), -- for some minutes, of what is in the mailbox
             ('profile_change'), -- for some minutes, of what is in the profile
             ('stream'), -- what is open at this moment
             ('user_tag')$$,
    'every table of what a user owns is in the export');

select is(duet.time_text('2026-11-22 19:05:01.1239+00'), '2026-11-22T19:05:01.123Z', 'times have milliseconds');
select is(array_agg(duet.entry_kind(kind)), array['message', 'message_edited', 'notification', null], 'kinds have words')
from unnest(array[3, 16, 31, 32]) as kind;

select * from finish();
rollback;
