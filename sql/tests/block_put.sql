begin;
\ir helpers.psql
select plan(23);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob \gset
update duet.app_user set friend_policy = 'approval' where user_no in (:ann, :bob);

create function pg_temp.kinds(p_owner bigint) returns text
language sql as $$
    select string_agg(concat_ws(' ', kind, details::jsonb ->> 'state'), ', ' order by seq) from duet.mailbox where owner = p_owner
$$;

select results_eq($$select outcome, created, peer, peer_profile_nick, blocked_at from duet.block_put('t-ann', 't-bob', now())$$,
    $$values ('ok', true, 't-bob', 'Bob', now())$$, 'a block');
select is((select created from duet.block_put('t-ann', 't-bob')), false, 'which is there already');
select is(pg_temp.kinds(:ann), '26', 'the own devices learn of it, once');
select is(pg_temp.kinds(:bob), null, 'the blocked one does not');
select is((select outcome from duet.block_get('t-ann', 't-bob')), 'ok', 'it can be read');
select is((select outcome from duet.block_get('t-bob', 't-ann')), 'block_unknown', 'one way');
select results_eq($$select peer, blocked, blocked_by from duet.block_check('t-ann', '{t-bob,t-none}')$$,
    $$values ('t-bob', true, false), ('t-none', false, false)$$, 'and checked');
select results_eq($$select peer, blocked, blocked_by from duet.block_check('t-bob', '{t-ann}')$$,
    $$values ('t-ann', false, true)$$, 'from both sides');
select is((select outcome from duet.block_delete('t-ann', 't-bob')), 'ok', 'it ends');
select is((select outcome from duet.block_delete('t-ann', 't-bob')), 'ok', 'once or twice');
select is(pg_temp.kinds(:ann), '26, 27', 'which is told once');
select is((select outcome from duet.block_get('t-ann', 't-bob')), 'block_unknown', 'it is no more');

select is((select state from duet.friend_request_make('t-bob', 't-ann', null, null)), 'pending', 'bob asks ann');
select is((select outcome from duet.block_put('t-ann', 't-bob')), 'ok', 'who blocks him');
select is(pg_temp.kinds(:bob), '24, 25 rejected', 'to bob his request was rejected');
select is((select outcome from duet.block_put('t-bob', 't-ann')), 'ok', 'bob blocks ann too');
select is((select outcome from duet.block_delete('t-ann', 't-bob')), 'ok', 'ann does no more');
select is((select outcome from duet.friend_put('t-ann', 't-bob', false, null, null, null)), 'ok', 'friends may be blocked');
select is((select mutual from duet.friend_get('t-ann', 't-bob')), true, 'and stay friends');

update duet.setting set blocks_per_user = 1;
select pg_temp.make_user('t-cat') as cat \gset
select is((select outcome from duet.block_put('t-bob', 't-cat')), 'blocks_full', 'there is a limit');
delete from duet.app_user where user_no = :ann;
select is((select outcome from duet.block_put('t-bob', 't-cat')), 'ok', 'who was deleted takes no room');
select results_eq($$select peer from duet.block_list('t-bob', null, 10)$$, $$values ('t-cat')$$, 'and is not listed');
select is(pg_temp.with_gaps(), 0::bigint, 'mailboxes have no gaps');

select * from finish();
rollback;
