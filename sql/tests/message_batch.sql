begin;
\ir helpers.psql
select plan(7);
select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob, pg_temp.make_user('t-eve') as eve \gset

create function pg_temp.batch(p_from text, p_to text[], p_client_id text default null, p_enforce boolean default false)
returns table (outcome text, pointer text, receiver text, status integer, problem text, seq bigint)
language sql as $$
    select outcome, pointer, "to", status, problem, message_id_receiver_seq
    from duet.message_batch(p_from, p_to, '[{"type":"text","text":"x"}]', null, p_client_id, 'title', null, null, null,
        604800, true, true, true, true, p_enforce, false, 'backend')
$$;

select results_eq(
    $$select * from pg_temp.batch('t-ann', array['t-eve', 't-ghost', 't-bob'])$$,
    $$values ('ok', null, 't-eve', 201, null, 1::bigint), ('ok', null, 't-ghost', 400, 'user_unknown', null),
             ('ok', null, 't-bob', 201, null, 1)$$,
    'each receiver has an outcome of its own, in order');
select results_eq(
    $$select m.peer, m.outgoing, m.options::integer, m.push, m.sent_by from duet.mailbox as m where m.owner = (select user_no from duet.app_user where user_id = 't-bob')$$,
    format($$values (%s::bigint, false, 15, '{"title":"title"}', 'backend')$$, :ann),
    'what is stored is what was asked for');
select is(pg_temp.with_gaps(), 0::bigint, 'no mailbox has a gap');
select results_eq(
    $$select outcome, pointer from pg_temp.batch('t-ghost', array['t-bob'])$$, $$values ('user_unknown', '/from')$$,
    'a sender nobody knows is refused');
update duet.contact set blocked = true, blocked_at = now() where owner = :bob and peer = :ann;
select results_eq(
    $$select status, problem from pg_temp.batch('t-ann', array['t-bob', 't-eve'], p_enforce => true)$$,
    $$values (400, 'blocked_by_recipient'), (201, null)$$, 'where the policy is enforced it refuses alone');
select pg_temp.batch('t-ann', array['t-bob'], 'c');
select results_eq(
    $$select status from pg_temp.batch('t-ann', array['t-eve', 't-bob'], 'c')$$, $$values (201), (200)$$,
    'one that was sent before is not sent again');
select is((select count(distinct duet.random_nonce()) from generate_series(1, 100)), 100::bigint, 'nonces are random');

select * from finish();
rollback;
