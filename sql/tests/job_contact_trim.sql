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

select * from finish();
rollback;
