begin;
\ir helpers.psql
select plan(38);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
update duet.app_user set friend_policy = 'approval' where user_no in (:ann, :bob);

create function pg_temp.ask(p_user text, p_to text, p_text text default null, p_remark text default null, p_now timestamptz default now())
returns text language sql as $$
    select concat_ws(' ', outcome, pointer, case when outcome = 'ok' then state || ' ' || created end) from duet.friend_request_make(p_user, p_to, p_text, p_remark, p_now)
$$;
create function pg_temp.pending(p_user text, p_direction text, p_now timestamptz default now()) returns text
language sql as $$
    select string_agg(concat_ws(' ', peer, text, remark), ', ') filter (where peer is not null) from duet.friend_request_list(p_user, p_direction, null, 10, p_now)
$$;
-- Entries since the last call.
create temporary table told (owner bigint primary key, seq bigint);
create function pg_temp.news(p_owner bigint) returns text
language sql as $$
    with before as (select coalesce((select seq from told where owner = p_owner), 0) as seq),
    news as (
        select m.seq, concat_ws(' ', m.kind, m.details::jsonb ->> 'direction', m.details::jsonb ->> 'state', m.details::jsonb ->> 'text') as what
        from duet.mailbox as m, before where m.owner = p_owner and m.seq > before.seq
    ),
    noted as (
        insert into told select p_owner, last_seq from duet.mailbox_head where owner = p_owner
        on conflict (owner) do update set seq = excluded.seq
    )
    select string_agg(what, ', ' order by seq) from news
$$;

select is(pg_temp.ask('t-ann', 't-bob', 'hi', 'B'), 'ok pending true', 'a request');
select is(pg_temp.pending('t-ann', 'outgoing'), 't-bob hi B', 'of who has asked, with the remark');
select is(pg_temp.pending('t-bob', 'incoming'), 't-ann hi', 'to who was asked, without it');
select is(pg_temp.news(:ann), '24 outgoing hi', 'both learn of it');
select is(pg_temp.news(:bob), '24 incoming hi', 'each from its own side');
select is(pg_temp.ask('t-ann', 't-bob', 'hi', 'B'), 'ok pending false', 'the same again');
select is(concat(pg_temp.news(:ann), pg_temp.news(:bob)), '', 'is no news');
select is(pg_temp.ask('t-ann', 't-bob', 'hi', 'C'), 'ok pending false', 'another remark');
select is(concat_ws(', ', pg_temp.news(:ann), pg_temp.news(:bob)), '24 outgoing hi', 'is news to the own devices alone');
select is(pg_temp.ask('t-ann', 't-bob', 'please'), 'ok pending false', 'another text');
select is(concat_ws(', ', pg_temp.news(:ann), pg_temp.news(:bob)), '24 outgoing please, 24 incoming please', 'is news to both');

-- ---- answers ----

savepoint answers;
select is((select outcome from duet.friend_request_accept('t-ann', 't-bob')), 'friend_request_unknown', 'who has asked does not answer');
select results_eq($$select outcome, peer, mutual from duet.friend_request_accept('t-bob', 't-ann')$$,
    $$values ('ok', 't-ann', true)$$, 'who was asked does');
select is(concat_ws(', ', pg_temp.news(:ann), pg_temp.news(:bob)), '25 outgoing accepted, 21, 25 incoming accepted, 21',
    'both learn that it was accepted, and of a new friend');
select is((select outcome from duet.friend_request_accept('t-bob', 't-ann')), 'ok', 'accepting again changes nothing');
select is((select count(*) from duet.friend_request where owner in (:ann, :bob)), 0::bigint, 'nothing is left of it');
rollback to answers;
select is((select outcome from duet.friend_request_reject('t-bob', 't-ann')), 'ok', 'it may be rejected');
select is(concat_ws(', ', pg_temp.news(:ann), pg_temp.news(:bob)), '25 outgoing rejected, 25 incoming rejected', 'which both learn');
select is((select outcome from duet.friend_request_reject('t-bob', 't-ann')), 'friend_request_unknown', 'once');
rollback to answers;
select is((select outcome from duet.friend_request_delete('t-bob', 't-ann')), 'ok', 'who was asked');
select is((select count(*) from duet.friend_request where owner in (:ann, :bob)), 2::bigint, 'does not take it back');
select is((select outcome from duet.friend_request_delete('t-ann', 't-bob')), 'ok', 'who has asked does');
select is(concat_ws(', ', pg_temp.news(:ann), pg_temp.news(:bob)), '25 outgoing cancelled, 25 incoming cancelled', 'which both learn');
select is((select outcome from duet.friend_request_delete('t-ann', 't-bob')), 'ok', 'once or twice');
rollback to answers;
select is(pg_temp.ask('t-bob', 't-ann'), 'ok accepted false', 'two who ask each other are friends');
select is((select count(*) from duet.friend_request where owner in (:ann, :bob)), 0::bigint, 'and both requests are gone');
rollback to answers;

-- ---- time ----

select is(pg_temp.pending('t-bob', 'incoming', now() + interval '6 days 23 hours'), 't-ann please', 'it is kept for days');
select is(pg_temp.pending('t-bob', 'incoming', now() + interval '7 days'), null, 'and then hidden');
select is((select outcome from duet.friend_request_accept('t-bob', 't-ann', now() + interval '7 days')), 'friend_request_unknown',
    'nor can it be accepted');
select is(pg_temp.ask('t-ann', 't-bob', 'again', p_now => now() + interval '7 days'), 'ok pending true', 'asked again it is a new one');
select is((select max(expires_at) from duet.friend_request), now() + interval '14 days', 'with its own time');
rollback to answers;

-- ---- refusals ----

update duet.app_user set friend_policy = 'nobody' where user_no = :ann;
select pg_temp.make_user('t-cat') as cat \gset
select is(pg_temp.ask('t-cat', 't-ann'), 'friend_policy_refuses', 'who takes nobody is not asked');
insert into duet.contact (owner, peer, blocked, blocked_at, created_at) values (:ann, :cat, true, now(), now());
select is(pg_temp.ask('t-cat', 't-ann'), 'blocked_by_recipient', 'nor who has blocked the other');
insert into duet.friend_request (owner, outgoing, peer, created_at, expires_at)
select :bob, false, user_no, now(), now() + interval '1 day'
from generate_series(1, 99) as i, pg_temp.make_user('t-many-' || i) as user_no;
select is(pg_temp.ask('t-cat', 't-bob'), 'requests_full', 'there are at most 100 to one user');

-- ---- who may ask nobody ----

select pg_temp.make_user('t-dan') as dan, pg_temp.make_user('t-eli') as eli \gset
update duet.app_user set custom = '{"im_admin_forbid_type": "AdminForbid_Type_SendOut"}' where user_no = :dan;
select is(pg_temp.ask('t-dan', 't-eli'), 'forbidden', 'does not ask, whatever the policy');
select is((select outcome from duet.friend_put('t-dan', 't-eli', false, null, null, null, 't-dan')), 'forbidden',
    'nor adds by a token of its own');
select is((select outcome from duet.friend_put('t-dan', 't-cat', false, null, null, null)), 'ok',
    'while the back end may add');
insert into duet.friend_request (owner, outgoing, peer, created_at, expires_at)
select o, o = :eli, case o when :eli then :dan else :eli end, now(), now() + interval '1 day'
from unnest(array[:eli::bigint, :dan]) as o;
select is(pg_temp.ask('t-dan', 't-eli'), 'ok accepted false', 'to ask who has asked is to answer');

select * from finish();
rollback;
