begin;
\ir helpers.psql
select plan(9);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
insert into duet.friend_group values (:ann, 'home', now()), (:ann, 'work', now());

create function pg_temp.patch(p_patch jsonb) returns text
language sql as $$
    select concat_ws(' ', outcome, pointer, quote_nullable(remark), groups, custom)
    from duet.friend_patch('t-ann', 't-bob', p_patch)
$$;
create function pg_temp.seq() returns bigint
language sql as $$
    select last_seq from duet.mailbox_head join duet.app_user on user_no = owner where user_id = 't-ann'
$$;

select is(pg_temp.patch('{"remark": "x"}'), 'friend_unknown NULL', 'who is no friend cannot be changed');
select is((select outcome from duet.friend_put('t-ann', 't-bob', true, 'B', '{home}', '{"a": "b"}')), 'ok', 'a friend');
select is(pg_temp.patch('{}'), $$ok 'B' {home} {"a": "b"}$$, 'what is not named stays');
select is(pg_temp.seq(), 1::bigint, 'and nothing is told');
select is(pg_temp.patch('{"remark": "C", "groups": ["work", "home"]}'), $$ok 'C' {home,work} {"a": "b"}$$, 'what is named changes');
select is(pg_temp.patch('{"remark": null, "groups": null, "custom": null}'), $$ok '' {} {}$$, 'what is null has its default');
select is(pg_temp.seq(), 3::bigint, 'each change is told');
select is(pg_temp.patch('{"groups": ["home", "none"]}'), 'group_unknown /groups/1 NULL', 'groups must exist');
select is((select kind::text || ' ' || peer from duet.mailbox where owner = :ann and seq = 3), '22 ' || :bob,
    'as a friend who has changed');

select * from finish();
rollback;
