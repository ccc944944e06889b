begin;
\ir helpers.psql
select no_plan();

-- Everybody else is out of the way: deliveries go to all.
delete from duet.app_user;
delete from duet.mailbox_head;
update duet.notification set due_at = null;

select pg_temp.make_user('t-u' || i) from generate_series(1, 5) as i \g /dev/null
select pg_temp.make_user('t-boss', 'Boss') as boss \gset
select user_no as u1 from duet.app_user where user_id = 't-u1' \gset
select user_no as u2 from duet.app_user where user_id = 't-u2' \gset
select user_no as u3 from duet.app_user where user_id = 't-u3' \gset

create function pg_temp.notify(
    p_users text[] default null, p_any text[] default null, p_all text[] default null,
    p_from text default 't-boss', p_rate bigint default null, p_send_at timestamptz default null,
    p_expires bigint default null, p_until timestamptz default null, p_validate boolean default false,
    p_now timestamptz default now(), p_store bigint default 604800, p_kind text default 'system'
)
returns bigint
language sql as $$
    select s.id::bigint
    from duet.notification_send(
        p_from, p_users, p_any, p_all, p_kind,
        '[{"type":"text","text":"hear"}]', 'more', 'Title', null, null, null, p_store, true, true, true, p_rate,
        p_send_at, p_expires, p_until, 'backend', p_validate, p_now
    ) as s
$$;
create function pg_temp.slice(p_limit bigint default 100, p_now timestamptz default now())
returns text
language sql as $$
    select coalesce(d.looked_at || ' ' || d.served, '-')
    from (select case when notification is not null then looked_at end as looked_at, served
          from duet.notification_deliver(p_limit, p_now)) as d
$$;
create function pg_temp.state(p_no bigint) returns text
language sql as $$
    select concat_ws(' ', state, delivered, failed, total) from duet.notification where notification_no = p_no
$$;
create function pg_temp.holders(p_no bigint) returns text
language sql as $$
    select string_agg(u.user_id || coalesce(nullif('*' || m.n, '*1'), ''), ' ' order by u.user_id)
    from (select owner, count(*) as n from duet.mailbox where target_seq = p_no and kind in (2, 3) group by 1) as m
    join duet.app_user as u on u.user_no = m.owner
$$;

-- ---- slices ----

select is(pg_temp.slice(), '-', 'nothing is due');
select pg_temp.notify() as no \gset
select is(pg_temp.state(:no), 'running 0 0 5', 'all but the sender are counted');
select is(pg_temp.slice(2), '2 2', 'a slice holds as many as are asked for');
select is(pg_temp.state(:no), 'running 2 0 5', 'and the job knows how far it is');
select is(pg_temp.holders(:no), 't-u1 t-u2', 'in the order of numbers');
select is(pg_temp.slice(3), '3 3', 'the next goes on behind it');
select is(pg_temp.slice(3), '1 0', 'the sender is passed over');
select is(pg_temp.state(:no), 'done 5 0 5', 'the last one is known by being short');
select is(pg_temp.slice(3), '-', 'then there is nothing to do');
select is(pg_temp.holders(:no), 't-u1 t-u2 t-u3 t-u4 t-u5', 'everybody has it once');
select is(pg_temp.with_gaps(), 0::bigint, 'no mailbox has a gap');
select is(count(*), 0::bigint, 'bodies are stored once') from duet.mailbox where target_seq = :no and elements is not null;
select results_eq(
    $$select "from", "to", kind, elements, custom_data, sent_by, sender_profile_nick, state
      from duet.message_list('t-u3', null, null, null, 'newest', null, 5)$$,
    $$values ('t-boss', 't-u3', 'system', '[{"type":"text","text":"hear"}]', 'more', 'backend', 'Boss', 'sent')$$,
    'it reads as any message does');
select results_eq(
    $$select message_kind, message_elements from duet.event_list('t-u3', 0, 5)$$,
    $$values ('system', '[{"type":"text","text":"hear"}]')$$, 'also among the entries');
select is(g.outcome || g.elements, 'ok[{"type":"text","text":"hear"}]', 'and by its id')
from duet.message_list('t-u3', null, null, null, 'newest', null, 5) as m,
     duet.message_get(m.id_receiver, m.id_receiver_seq, m.id_sender, m.id_sender_seq, m.id_sent_at, m.id_nonce) as g;
select is(count(*), 5::bigint, 'the users know the sender now') from duet.contact where peer = :boss;

-- ---- whom it is for ----

select pg_temp.notify(p_users => '{t-u4,t-u2,t-u2,t-boss}') as no \gset
select is(pg_temp.state(:no), 'running 0 0 2', 'users listed count once, the sender not at all');
select is(pg_temp.slice(2) || ', ' || pg_temp.slice(2), '2 2, 1 0', 'they are served');
select is(pg_temp.holders(:no) || ': ' || pg_temp.state(:no), 't-u2 t-u4: done 2 0 2', 'and no other');

insert into duet.user_tag (owner, tag, created_at)
select u.user_no, t.tag, now()
from (values ('t-u1', 'red'), ('t-u2', 'red'), ('t-u2', 'big'), ('t-u3', 'big'), ('t-u3', 'new'), ('t-u4', 'new'),
      ('t-u2', 'new'), ('t-boss', 'red')) as t(user_id, tag)
join duet.app_user as u on u.user_id = t.user_id;
select pg_temp.notify(p_any => '{red,big}') as no \gset
select is(pg_temp.slice(1) || ', ' || pg_temp.slice(9), '1 1, 3 2', 'by any of some tags');
select is(pg_temp.holders(:no) || ': ' || pg_temp.state(:no), 't-u1 t-u2 t-u3: done 3 0 3', 'each once');
select pg_temp.notify(p_all => '{big,new}') as no \gset
select is(pg_temp.slice(1) || ', ' || pg_temp.slice(9), '1 1, 1 1', 'by all of some tags');
select is(pg_temp.holders(:no) || ': ' || pg_temp.state(:no), 't-u2 t-u3: done 2 0 2', 'whoever has them');
select pg_temp.notify(p_all => '{new}', p_any => '{red,blue}') as no \gset
select is(pg_temp.slice(9), '3 1', 'by both: who is not meant is looked at and passed over');
select is(pg_temp.holders(:no) || ': ' || pg_temp.state(:no), 't-u2: done 1 0 1', 'and not served');
select pg_temp.notify(p_any => '{nobody-has-this}') as no \gset
select is(pg_temp.slice(9) || ' ' || pg_temp.state(:no), '0 0 done 0 0 0', 'nobody is an audience too');

select results_eq(
    $$select outcome, pointer from duet.notification_send('t-boss', '{t-u1,t-none}', null, null, 'system', '[]',
      null, null, null, null, null, 0, true, true, true, null, null, null, null, 'b', false)$$,
    $$values ('user_unknown', '/to/users/1')$$, 'a user who is not there is named');
select results_eq(
    $$select outcome, pointer from duet.notification_send('t-none', null, null, null, 'system', '[]',
      null, null, null, null, null, 0, true, true, true, null, null, null, null, 'b', false)$$,
    $$values ('user_unknown', '/from')$$, 'so is a sender');
select is(pg_temp.notify(p_from => null, p_users => '{t-u1}') > 0, true, 'without a sender it is the administrator');
select is(count(*), 1::bigint, 'a user with a mailbox') from duet.app_user as u
join duet.mailbox_head as h on h.owner = u.user_no where u.user_id = 'administrator';
select is(pg_temp.slice(), '1 1', 'who sends');
delete from duet.app_user where user_id = 'administrator';
select results_eq(
    $$select s.id, s.total, s.sample from duet.notification_send('t-boss', null, null, null, 'system', '[]',
      null, null, null, null, null, 0, true, true, true, null, null, null, null, 'b', true) as s$$,
    $$values (null::text, 5::bigint, '{t-u1,t-u2,t-u3,t-u4,t-u5}'::text[])$$, 'a rehearsal says for whom it would be');
select is(pg_temp.slice(), '6 5', 'which the server takes back; here it counts');

-- ---- who goes away ----

select pg_temp.notify(p_users => '{t-u1,t-u5}') as no \gset
delete from duet.mailbox_head where owner = (select user_no from duet.app_user where user_id = 't-u5');
delete from duet.app_user where user_id = 't-u5';
select is(pg_temp.slice() || ' ' || pg_temp.state(:no), '2 1 done 1 1 2', 'who is no more has failed');
select is((select "to" from duet.notification_get(:'no')), '{"users": ["t-u1"]}', 'and is not named any more');

-- ---- time ----

select pg_temp.notify(p_send_at => now() + interval '1 hour', p_expires => 60) as no \gset
select is(pg_temp.slice() || ' ' || pg_temp.state(:no), '- waiting 0 0 4', 'it waits for its time');
select is(pg_temp.slice(2, now() + interval '1 hour') || ' ' || pg_temp.state(:no), '2 2 running 2 0 4', 'and goes then');
select is(pg_temp.slice(2, now() + interval '1 hour 59 seconds'), '2 2', 'until it expires');
select pg_temp.notify(p_expires => 60) as no \gset
select is(pg_temp.slice(2), '2 2', 'one that is halfway');
select is(pg_temp.slice(2, now() + interval '1 minute') || ' ' || pg_temp.state(:no), '0 0 expired 2 0 4',
    'is given up when it expires');
update duet.notification set due_at = null;

select pg_temp.notify(p_rate => 20) as no \gset
select is(pg_temp.slice(100) || ', ' || pg_temp.slice(100), '2 2, -', 'a rate is kept to');
select is(pg_temp.slice(100, now() + interval '99 ms') || ', ' || pg_temp.slice(100, now() + interval '100 ms'),
    '-, 2 2', 'to the millisecond');
update duet.notification set due_at = null;
select pg_temp.notify(p_rate => 20, p_until => now() + interval '1 hour') as no \gset
select is(pg_temp.slice(100) || ', ' || pg_temp.slice(100, now() + interval '99 ms') || ', '
    || pg_temp.slice(100, now() + interval '100 ms'), '2 2, -, 2 2', 'also for who was made a moment ago');
update duet.notification set due_at = null;
delete from duet.notification_newcomer;

select pg_temp.notify(p_store => 60) as no \gset
select pg_temp.slice() \g /dev/null
select is(count(*), 1::bigint, 'store_seconds holds for each copy') from duet.mailbox
where target_seq = :no and owner = :u1 and expires_at = sent_at + interval '1 minute';

-- ---- pause, resume, cancel ----

select pg_temp.notify() as no \gset
select is(pg_temp.slice(1), '1 1', 'a job begins');
select is(state, 'paused', 'it is paused') from duet.notification_pause(:'no');
select is(pg_temp.slice(1), '-', 'and rests');
select is(state, 'paused', 'twice is the same as once') from duet.notification_pause(:'no');
select is(state, 'running', 'it is resumed') from duet.notification_resume(:'no');
select is(pg_temp.slice(1), '1 1', 'and goes on');
insert into duet.notification_newcomer values (:no, :u1);
select is(state, 'cancelled', 'it is cancelled') from duet.notification_cancel(:'no');
select is(count(*), 0::bigint, 'and newcomers need not be remembered') from duet.notification_newcomer;
select is(pg_temp.slice(1), '-', 'for good');
select is(state, 'cancelled', 'twice is the same as once') from duet.notification_cancel(:'no');
select is(outcome, 'notification_finished', 'what is cancelled cannot be resumed') from duet.notification_resume(:'no');
select is(outcome, 'notification_finished', 'nor paused') from duet.notification_pause(:'no');
select is(pg_temp.holders(:no), 't-u1 t-u2', 'what was delivered stays');
select is(string_agg(outcome, ' '), 'notification_unknown notification_unknown notification_unknown',
    'what is not there is unknown')
from (select outcome from duet.notification_get('0') union all select outcome from duet.notification_cancel('x')
      union all select outcome from duet.notification_recall('99999999999999999')) as o;

-- ---- recall ----

-- One copy says something of its own by now, as if it were edited.
update duet.mailbox set elements = '["x"]', edited_at = now() where owner = :u2 and target_seq = :no and kind = 2;
select last_seq as before from duet.mailbox_head where owner = :u1 \gset
select is(state, 'recalled', 'it is recalled') from duet.notification_recall(:'no');
select is(
    (select l.state
     from duet.message_list('t-u1', null, null, null, 'newest', null, 100) as l
     join duet.mailbox as m on m.owner = :u1 and m.seq = l.id_receiver_seq
     where m.target_seq = :no and m.kind = 2),
    'recalled', 'whoever reads it sees that at once');
select results_eq(
    format($$select state, elements, custom_data from duet.message_entry where owner = %s and kind_no = 2 and target_seq = %s$$, :u2, :no),
    $$values ('recalled', '[]', null::text)$$, 'who has a copy that was edited, too');
select is(pg_temp.slice(1) || ', ' || pg_temp.slice(9), '1 1, 4 1', 'devices of those who have it are told');
select is(count(*), 1::bigint, 'of the edited copy as well') from duet.mailbox where owner = :u2 and kind = 17;
select results_eq(
    format('select seq, kind::integer, target_seq, target_at from duet.mailbox where owner = %s and seq > %s', :u1, :before),
    format($$select %s + 1::bigint, 17, m.seq, m.sent_at from duet.mailbox as m where m.owner = %s and m.target_seq = %s
             and m.kind = 2$$, :before, :u1, :no), 'by an entry that names the message in their mailbox');
select is(pg_temp.slice(9), '-', 'once');
select is(count(*), 0::bigint, 'nobody else learns of it') from duet.mailbox where owner = :u3 and kind = 17;
select is(pg_temp.with_gaps(), 0::bigint, 'no mailbox has a gap then');

-- ---- users made while it runs ----

select pg_temp.notify() as no \gset
select is(pg_temp.slice(100), '5 4', 'a job');
select pg_temp.make_user('t-v1') \g /dev/null
select is(pg_temp.holders(:no), 't-u1 t-u2 t-u3 t-u4', 'is for those who were there');

update duet.app_user set created_at = now() - interval '1 minute';
select pg_temp.notify(p_until => now() + interval '1 hour') as no \gset
select is(pg_temp.slice(3) || ', ' || pg_temp.slice(100) || ' ' || pg_temp.state(:no), '3 3, 2 2 running 5 0 5',
    'all users are young: they are served as newcomers');
select is(pg_temp.slice(100), '0 0', 'then it waits');
select is(pg_temp.slice(100), '-', 'for a second');
select pg_temp.make_user('t-v2') as v2 \gset
update duet.app_user set created_at = now() + interval '2 seconds' where user_no = :v2;
select is(pg_temp.slice(100, now() + interval '3 seconds') || ' ' || pg_temp.state(:no), '1 1 running 6 0 6',
    'who is made meanwhile is served, and counted');
select is(pg_temp.slice(100, now() + interval '20 minutes'), '0 0', 'after ten minutes they are settled');
select is(count(*), 0::bigint, 'and need not be remembered') from duet.notification_newcomer;
select pg_temp.make_user('t-v3') as v3 \gset
update duet.app_user set created_at = now() + interval '61 minutes' where user_no = :v3;
select is(pg_temp.slice(100, now() + interval '61 minutes') || ' ' || pg_temp.state(:no), '0 0 done 6 0 6',
    'in the end it is done');
select is(pg_temp.holders(:no), 't-u1 t-u2 t-u3 t-u4 t-v1 t-v2', 'each has it once');

-- ---- sizes ----

select pg_temp.notify() as no \gset
update duet.notification set total = 1000, started_at = now(), last_position = 9223372036854775807 where notification_no = :no;
select is(pg_temp.slice(100) || ' ' || pg_temp.state(:no), '8 7 done 7 0 7', 'a size that was a guess is known in the end');

create function pg_temp.size(p_any text[], p_all text[] default null) returns bigint
language sql as $$ select duet.notification_size(null, p_any, p_all, 0) $$;
insert into duet.user_tag (owner, tag, created_at)
select i, t.tag, now()
from (values ('t-many', 30000, 1), ('t-even', 30000, 2), ('t-few', 9000, 1)) as t(tag, n, step),
     generate_series(1000000, 1000000 + t.n, t.step) as i;
analyze duet.user_tag;
-- What has come since the statistics were made is not looked at.
insert into duet.user_tag (owner, tag, created_at) select i, 't-many', now() from generate_series(2000001, 2000100) as i;
select is(pg_temp.size('{t-few}'), 9001::bigint, 'few are counted');
select cmp_ok(abs(pg_temp.size('{t-many}') - 30000), '<', 1000::bigint, 'many are estimated');
select cmp_ok(abs(pg_temp.size(null, '{t-many,t-even}') - 15000), '<', 1000::bigint, 'in proportion to those who were looked at');
select is(pg_temp.size('{t-many,t-few}', '{t-none}'), 0::bigint, 'nobody is nobody');

-- ---- few of many, with a rate ----

-- 250 users and the sender, of whom the sender and five are meant.
select pg_temp.make_user('t-r' || to_char(i, 'fm000')) from generate_series(1, 250) as i \g /dev/null
insert into duet.user_tag (owner, tag, created_at)
select u.user_no, 'r-all', now() from duet.app_user as u where u.user_id ~ '^t-(r\d|boss)';
insert into duet.user_tag (owner, tag, created_at)
select u.user_no, 'vip', now() from duet.app_user as u
where u.user_id in ('t-boss', 't-r003', 't-r004', 't-r005', 't-r150', 't-r250');

select pg_temp.notify(p_all => '{r-all,vip}', p_rate => 20) as no \gset
select is(pg_temp.slice(1000), '5 2', 'a tenth of a second''s worth is served, however many must be looked at for that');
select is(pg_temp.slice(1000, now() + interval '99 ms'), '-', 'who was served has time');
select is(pg_temp.slice(1000, now() + interval '100 ms'), '100 1', 'the next slice begins behind the last one, and looks at a hundred');
select is(pg_temp.slice(1000, now() + interval '149 ms'), '-', 'where there was one, one has time');
select is(pg_temp.slice(30, now() + interval '150 ms'), '30 0', 'or at as many as it may');
select is(pg_temp.slice(1000, now() + interval '150 ms'), '100 1', 'who has found nobody need not wait');
select is(pg_temp.slice(1000, now() + interval '200 ms') || ' ' || pg_temp.state(:no), '16 1 done 5 0 5', 'up to the last');
select is(pg_temp.holders(:no), 't-r003 t-r004 t-r005 t-r150 t-r250', 'each has it once');

-- All of a rate's worth of a page, and nobody behind them.
select pg_temp.notify(p_all => '{vip}', p_rate => 60) as no \gset
select is(pg_temp.slice() || ' ' || pg_temp.state(:no), '6 5 done 5 0 5', 'a page that ends with them is the last');
select pg_temp.notify(p_all => '{vip}', p_rate => 50) as no \gset
select is(pg_temp.slice() || ' ' || pg_temp.state(:no), '6 5 done 5 0 5', 'also where they are just as many');
select pg_temp.notify(p_all => '{vip}', p_rate => 49) as no \gset
select is(pg_temp.slice() || ' ' || pg_temp.state(:no), '5 4 running 4 0 5', 'but not where somebody is left');
update duet.notification set due_at = null;

-- One that finds nobody, and one that finds somebody each time, a millisecond after the other.
create function pg_temp.turns(p_n integer, p_limit bigint) returns text
language plpgsql as $$
declare
    v_turns bigint[];
begin
    for v_turn in 1 .. p_n loop
        v_turns := v_turns || (
            select d.notification from duet.notification_deliver(p_limit, now() + v_turn * interval '1 ms') as d
        );
    end loop;
    return array_to_string(v_turns, ' ', '-');
end
$$;
select pg_temp.notify(p_all => '{r-all,t-none}', p_rate => 5) as a \gset
select pg_temp.notify(p_send_at => now() + interval '1 ms') as b \gset
select is(pg_temp.turns(6, 20), concat_ws(' ', :a, :b, :a, :b, :a, :b), 'one that has a rate and finds nobody takes turns with others');
update duet.notification set due_at = null;

-- ---- lists ----

select is(array_agg(id order by id::bigint desc) = array_agg(id), true, 'they are listed newest first')
from duet.notification_list(null, 100);
select is(count(*), 2::bigint, 'by pages') from duet.notification_list(:'no', 2);
select is(outcome, 'cursor_invalid', 'a cursor must be one') from duet.notification_list('x', 2);

select * from finish();
rollback;
