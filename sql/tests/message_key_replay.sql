begin;
\ir helpers.psql
select plan(6);

insert into duet.idempotency_key
values ('backend', 'k1', 'message_send', '\x01', now(), 2, 20, 1, 10, now(), 7);

create function pg_temp.replays(p_sender bigint, p_caller text, p_hash bytea, p_now timestamptz default now())
returns text
language sql as $$
    select string_agg(concat_ws(' ', r.item, r.outcome, r.receiver_seq, r.sender_seq, r.sent_at = now(), r.nonce), ', ')
    from duet.message_key_replay(
        array[9, p_sender], array[8, 2::bigint], array['backend', p_caller], array[null, 'k1'], array[null, p_hash], p_now
    ) as r
$$;

select is(pg_temp.replays(1, 'backend', '\x01'), '2 ok 20 10 t 7', 'the same request is found');
select is(pg_temp.replays(1, 'backend', '\x02'), '2 idempotency_key_reused 20 10 t 7', 'another request is refused');
select is(pg_temp.replays(3, 'backend', '\x01'), null, 'the same request is not found where a user has another number by now');
select is(pg_temp.replays(1, 'other', '\x01'), null, 'another caller''s key is not found');
select is(pg_temp.replays(1, 'backend', '\x01', now() + interval '24 hours'), null, 'nor one of 24 hours ago');

insert into duet.request_key values ('backend', 'other', 'message_batch', '\x01', now(), '{}');
select is(
    (select outcome from duet.message_key_replay(array[1], array[2], array['backend'], array['other'], array['\x01'::bytea], now())),
    'idempotency_key_reused', 'what another request has used is refused'
);

select * from finish();
rollback;
