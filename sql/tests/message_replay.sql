begin;
\ir helpers.psql
select plan(6);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
select m.outcome as sent from pg_temp.send(array[:ann, :ann]::bigint[], array[:bob, :bob]::bigint[], array['c1', 'c2']) as m
where m.item = 1 \gset

create function pg_temp.replays(
    p_sender bigint, p_receiver bigint, p_client_id text, p_mark bigint default null, p_now timestamptz default now()
)
returns text
language sql as $$
    select string_agg(concat_ws(' ', r.item, r.receiver_seq, r.sender_seq, r.sent_at = now(), r.nonce), ', ')
    from duet.message_replay(
        array[0, p_sender], array[0, p_receiver], array[null, p_client_id],
        array[null, coalesce(p_mark, duet.retry_mark(p_receiver, p_client_id))], p_now
    ) as r
$$;

select is(pg_temp.replays(:ann, :bob, 'c2'), '2 2 2 t 1002', 'a message is found by sender, receiver and client_id');
select is(pg_temp.replays(:bob, :ann, 'c2'), null, 'it is not found in the sender''s mailbox');
select is(pg_temp.replays(:bob, :bob, 'c2'), null, 'it is not found for another sender');
select is(pg_temp.replays(:ann, :bob, 'c3', duet.retry_mark(:bob, 'c2')), null,
    'two client_ids with one mark are told apart');
select is(pg_temp.replays(:ann, :bob, 'c2', p_now => now() - interval '23 hours'), '2 2 2 t 1002',
    'a message is found when the clock was put back since');
select is(pg_temp.replays(:ann, :bob, 'c2', p_now => now() - interval '25 hours'), null, 'by less than a day');

select * from finish();
rollback;
