begin;
\ir helpers.psql
select plan(9);

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

-- ---- every combination ----

-- What was decided between sender and receiver, in words, and the rule in a few lines.
create function pg_temp.expected(p_messaging text, p_relation text, p_block text, p_muted boolean, p_enforced boolean)
returns text language sql as $$
    select case
        when not p_enforced then null
        when p_block = 'by receiver' then 'blocked_by_recipient'
        when p_messaging = 'friends' and p_relation <> 'friend' then 'not_friends'
        when p_muted then 'sender_muted'
    end
$$;

create function pg_temp.told(
    p_ann bigint, p_bob bigint, p_messaging text, p_relation text, p_block text, p_muted boolean, p_enforced boolean)
returns text language plpgsql as $$
begin
    update duet.setting set messaging = p_messaging;
    update duet.app_user set muted_until = case when p_muted then now() + interval '1 s' end where user_no = p_ann;
    delete from duet.contact where owner in (p_ann, p_bob);
    if p_relation <> 'stranger' then
        perform duet.friend_put('t-ann', 't-bob', p_relation = 'one-way friend', null, null, null);
    end if;
    if p_block = 'by receiver' then
        perform duet.block_put('t-bob', 't-ann');
    elsif p_block = 'by sender' then
        perform duet.block_put('t-ann', 't-bob');
    end if;
    return (
        select m.outcome
        from duet.message_refusal(
            array[p_ann], array[p_bob], array[case when p_enforced then pg_temp.enforced() else pg_temp.usual() end], now()) as m
    );
end
$$;

select is_empty(
    format($$select *
      from unnest(array['anyone', 'friends']) as messaging,
           unnest(array['stranger', 'one-way friend', 'friend']) as relation,
           unnest(array['none', 'by receiver', 'by sender']) as block,
           unnest(array[false, true]) as muted,
           unnest(array[false, true]) as enforced,
           pg_temp.told(%s, %s, messaging, relation, block, muted, enforced) as told
      where told is distinct from pg_temp.expected(messaging, relation, block, muted, enforced)$$, :ann, :bob),
    'every combination is decided by the rule');

select * from finish();
rollback;
