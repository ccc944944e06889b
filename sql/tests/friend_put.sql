begin;
\ir helpers.psql
select plan(33);

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob,
       pg_temp.make_user('t-cat') as cat \gset

create function pg_temp.put(
    p_user text, p_peer text, p_one_way boolean default false, p_remark text default null,
    p_groups text[] default null, p_as_user text default null
) returns text
language sql as $$
    select concat_ws(' ', outcome, pointer, case when outcome = 'ok' then created end)
    from duet.friend_put(p_user, p_peer, p_one_way, p_remark, p_groups, null, p_as_user)
$$;

-- Entries of a mailbox after a seq: kind, peer and what else they say.
create function pg_temp.entries(p_owner bigint, p_after bigint default 0)
returns table (kind smallint, peer bigint, details jsonb)
language sql as $$
    select kind, peer, details::jsonb from duet.mailbox where owner = p_owner and seq > p_after order by seq
$$;
create function pg_temp.seq(p_owner bigint) returns bigint
language sql as 'select last_seq from duet.mailbox_head where owner = p_owner';

-- ---- friend_put ----

select is(pg_temp.put('t-ann', 't-bob', p_remark => 'B'), 'ok t', 'a friend is new');
select results_eq(
    $$select outcome, peer, peer_profile_nick, remark, groups, custom, mutual from duet.friend_get('t-ann', 't-bob')$$,
    $$values ('ok', 't-bob', 'Bob', 'B', '{}'::text[], '{}'::jsonb, true)$$,
    'the own side says what was asked for');
select results_eq(
    $$select outcome, peer, remark, mutual from duet.friend_get('t-bob', 't-ann')$$,
    $$values ('ok', 't-ann', '', true)$$,
    'the other side is a friend too');
select results_eq(format('select * from pg_temp.entries(%s)', :ann),
    format($$values (21::smallint, %s::bigint, '{"remark": "B", "groups": [], "mutual": true}'::jsonb)$$, :bob),
    'the own devices learn of it');
select results_eq(format('select * from pg_temp.entries(%s)', :bob),
    format($$values (21::smallint, %s::bigint, '{"remark": "", "groups": [], "mutual": true}'::jsonb)$$, :ann),
    'and those of the other, but not the remark');
select is(pg_temp.put('t-ann', 't-bob', p_remark => 'B'), 'ok f', 'who is a friend already is not new');
select is(array[pg_temp.seq(:ann), pg_temp.seq(:bob)], array[1, 1]::bigint[], 'nothing changed, nothing is told');
select is(pg_temp.put('t-ann', 't-bob', p_remark => 'C'), 'ok f', 'a remark is replaced');
select is(array[pg_temp.seq(:ann), pg_temp.seq(:bob)], array[2, 1]::bigint[], 'which only the own devices learn');

select is(pg_temp.put('t-ann', 't-cat', true), 'ok t', 'a friend one way');
select is(array[pg_temp.seq(:ann), pg_temp.seq(:cat)], array[3, 0]::bigint[], 'of which the other learns nothing');
select is(pg_temp.put('t-ann', 't-cat'), 'ok f', 'a friend one way may become one both ways');
select results_eq(format('select kind, details ->> %L from pg_temp.entries(%s, 3)', 'mutual', :ann),
    $$values (22::smallint, 'true')$$, 'the own devices learn that it is mutual');
select results_eq(format('select kind from pg_temp.entries(%s)', :cat), $$values (21::smallint)$$,
    'the other''s that a friend is new');

select is(pg_temp.put('t-ann', 't-none'), 'user_unknown /peer', 'no friend who is not there');
select is(pg_temp.put('t-none', 't-ann'), 'user_unknown /user', 'no friends of who is not there');
insert into duet.friend_group values (:ann, 'home', now());
select is(pg_temp.put('t-ann', 't-bob', p_groups => '{home,work}'), 'group_unknown /groups/1', 'groups must exist');
select is(pg_temp.put('t-ann', 't-bob', p_groups => '{home,home}'), 'ok f', 'a group named twice');
select is((select groups from duet.friend_get('t-ann', 't-bob')), '{home}'::text[], 'is one');

-- ---- limits ----

savepoint limits;
select pg_temp.make_user('t-dan') as dan \gset
update duet.setting set friends_per_user = 2;
select is(pg_temp.put('t-ann', 't-dan'), 'friends_full /user', 'the own list is full');
select is(pg_temp.put('t-dan', 't-ann'), 'friends_full /peer', 'the other''s list is full');
select is(pg_temp.seq(:dan), 0::bigint, 'a refusal writes nothing');
delete from duet.app_user where user_no = :cat;
select is(pg_temp.put('t-dan', 't-ann'), 'ok t', 'who was deleted takes no room');
rollback to limits;

-- ---- a device's token ----

savepoint policy;
select pg_temp.make_user('t-dan') as dan, pg_temp.make_user('t-eve') as eve \gset
update duet.app_user set friend_policy = 'approval' where user_no = :dan;
update duet.app_user set friend_policy = 'nobody' where user_no = :eve;
select is(pg_temp.put('t-bob', 't-cat', p_as_user => 't-bob'), 'ok t', 'who takes anyone is taken');
select is(pg_temp.put('t-bob', 't-dan', p_as_user => 't-bob'), 'friend_policy_refuses', 'who wants to be asked is not');
select is(pg_temp.put('t-bob', 't-eve', true, p_as_user => 't-bob'), 'friend_policy_refuses', 'nor who takes nobody, even one way');
select is((select outcome from duet.friend_request_make('t-dan', 't-bob', null, null)), 'ok', 'dan asks bob, who takes anyone');
select is(pg_temp.put('t-bob', 't-dan', p_as_user => 't-bob'), 'ok f', 'friends change their own side');
update duet.contact set blocked = true, blocked_at = now() where owner = :dan and peer = :bob;
select is(pg_temp.put('t-bob', 't-dan', p_remark => 'x', p_as_user => 't-bob'), 'ok f', 'blocked or not');
select is((select outcome from duet.friend_delete('t-bob', 't-dan', false)), 'ok', 'they part');
select is(pg_temp.put('t-bob', 't-dan', p_as_user => 't-bob'), 'blocked_by_recipient', 'who is blocked makes no friend');
select is(pg_temp.put('t-bob', 't-dan'), 'ok t', 'a back-end service does');
rollback to policy;

select is(pg_temp.with_gaps(), 0::bigint, 'mailboxes have no gaps');
select * from finish();
rollback;
