begin;
\ir helpers.psql
select no_plan();

-- Only those whom this test makes.
delete from duet.contact;
update duet.job set place = 0;
update duet.setting set recent_contacts = 3;

select pg_temp.make_user('t-ann') as ann \gset
select count(pg_temp.make_user('t-' || n)) as n from generate_series(1, 6) as n \gset
select count(*) as sent from generate_series(1, 6) as n, pg_temp.send(
    array[:ann]::bigint[], array[(select user_no from duet.app_user where user_id = 't-' || n)]::bigint[]) as s \gset
update duet.contact set pinned = true
where owner = :ann and peer = (select user_no from duet.app_user where user_id = 't-1');

create function pg_temp.hidden() returns text
language sql as $$
    select string_agg(u.user_id, ' ' order by u.user_id)
    from duet.contact as c join duet.app_user as u on u.user_no = c.peer
    where c.owner = (select user_no from duet.app_user where user_id = 't-ann') and c.hidden_seq > 0
$$;

select results_eq($$select rows, more from duet.job_contact_trim(now(), false)$$, $$values (2::bigint, false)$$,
    'what is beyond the newest leaves the list');
select is(pg_temp.hidden(), 't-2 t-3', 'the oldest go, a pinned one stays');
select is((select count(*) from duet.contact where owner = :ann), 6::bigint, 'no contact is removed');
select is((select rows from duet.job_contact_trim(now(), false)), 0::bigint, 'again there is nothing to do');
select count(*) as n from pg_temp.send(array[(select user_no from duet.app_user where user_id = 't-2')]::bigint[], array[:ann]::bigint[]) \gset
select is((select hidden_seq < (select last_seq from duet.mailbox_head where owner = :ann) from duet.contact
    where owner = :ann and peer = (select user_no from duet.app_user where user_id = 't-2')), true,
    'a new message brings one back');
select is((select rows from duet.job_contact_trim(now(), false)), 1::bigint, 'and another one leaves');
select is((select outgoing from duet.mailbox where owner = :ann and seq = 1), true, 'messages stay');

update duet.setting set recent_contacts = 500;
select is((select rows from duet.job_contact_trim(now(), true)), 0::bigint, 'with a higher setting there is nothing to do');

-- Much to go through: pages of users, and of the contacts of one.
create function pg_temp.trim_all() returns bigint
language plpgsql as $$
declare
    v_rows bigint := 0;
    v record;
begin
    loop
        select t.* into v from duet.job_contact_trim(now(), false) as t;
        v_rows := v_rows + v.rows;
        exit when not v.more;
    end loop;
    return v_rows;
end
$$;
update duet.setting set recent_contacts = 3;
select pg_temp.trim_all() >= 0 as trimmed \gset
insert into duet.mailbox_head (owner) select 1000000000 + i from generate_series(1, 2500) as i;
insert into duet.mailbox_head (owner, last_seq) values (2000000000, 5000);
insert into duet.contact (owner, peer, created_at, pinned)
select 2000000000, i, now(), i = 7 from generate_series(1, 5000) as i;
-- The newest are in the middle.
insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing)
select 2000000000, i, now(), (i + 2998) % 5000 + 1, 0, 0, 1, 15, true from generate_series(1, 5000) as i;

savepoint untouched;
select results_eq($$select * from duet.contact_trim_page(2000000000, null, '{}', 3, now())$$,
    $$values (1996::bigint, 2000::bigint, '{2000,1999,1998}'::bigint[])$$, 'a page of contacts, but for the newest of it');
select results_eq($$select * from duet.contact_trim_page(2000000000, 2000, '{2000,1999,1998}', 3, now())$$,
    $$values (2000::bigint, 4000::bigint, '{2999,2998,2997}'::bigint[])$$, 'the next, and what was the newest before');
select results_eq($$select * from duet.contact_trim_page(2000000000, 4000, '{2999,2998,2997}', 3, now())$$,
    $$values (1000::bigint, null::bigint, '{}'::bigint[])$$, 'and the last');
rollback to untouched;
update duet.job set place = 2000000000, place_peer = 4000, place_newest = '{2999,2998,2997}' where name = 'contact_trim';
select is(pg_temp.trim_all(), 1000::bigint, 'the job goes on in the midst of a user');
rollback to untouched;
select is(pg_temp.trim_all(), 4996::bigint, 'the job goes through all pages');
select is((select array_agg(peer order by peer) from duet.contact where owner = 2000000000 and hidden_seq = 0),
    array[7, 2997, 2998, 2999]::bigint[], 'the newest stay, and what is pinned');
select results_eq($$select place, place_peer, place_newest from duet.job where name = 'contact_trim'$$,
    $$values (0::bigint, null::bigint, '{}'::bigint[])$$, 'then it begins anew');
select is(pg_temp.trim_all(), 0::bigint, 'to find nothing more');

select * from finish();
rollback;
