begin;
\ir helpers.psql
select plan(8);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset

create function pg_temp.refusals(p_options bigint default pg_temp.enforced()) returns text
language sql as $$
    select string_agg(m.item || ' ' || m.outcome, ', ' order by m.item)
    from (select user_no as no from duet.app_user where user_id = 't-ann') as ann,
         (select user_no as no from duet.app_user where user_id = 't-bob') as bob,
         duet.message_refusal(array[ann.no, bob.no], array[bob.no, ann.no], array[p_options, p_options], now()) as m
$$;

select is(pg_temp.refusals(), null, 'strangers may write to each other');

insert into duet.contact (owner, peer, blocked, blocked_at, created_at)
values (:ann, :bob, false, null, now()), (:bob, :ann, true, now(), now());
select is(pg_temp.refusals(), '1 blocked_by_recipient', 'who is blocked is refused, who blocks is not');
select is(pg_temp.refusals(pg_temp.usual()), null, 'nothing is refused where the policy is not enforced');

update duet.contact set blocked = false, blocked_at = null where owner = :bob and peer = :ann;
update duet.setting set messaging = 'friends';
select is(pg_temp.refusals(), '1 not_friends, 2 not_friends', 'among friends only, strangers are refused');
update duet.contact set friend = true, friend_since = now() where owner = :ann and peer = :bob;
select is(pg_temp.refusals(), '1 not_friends, 2 not_friends', 'among friends only, one-sided friends are refused');
update duet.contact set friend = true, friend_since = now() where owner = :bob and peer = :ann;
select is(pg_temp.refusals(), null, 'mutual friends may write to each other');

update duet.app_user set muted_until = now() + interval '1 s' where user_no = :ann;
update duet.app_user set muted_until = now() where user_no = :bob;
select is(pg_temp.refusals(), '1 sender_muted', 'who is muted is refused, until then');
update duet.app_user set muted_until = 'infinity' where user_no = :ann;
select is(pg_temp.refusals(), '1 sender_muted', 'who is muted for good is refused');

select * from finish();
rollback;
