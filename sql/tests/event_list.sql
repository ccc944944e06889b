begin;
\ir helpers.psql
select no_plan();

select pg_temp.make_user('t-ann', 'Ann') as ann, pg_temp.make_user('t-bob', 'Bob') as bob \gset

create function pg_temp.events(
    p_after bigint default 0, p_limit bigint default 50, p_now timestamptz default now(), p_user text default 't-bob'
)
returns text
language sql as $$
    select string_agg(concat_ws(' ', e.seq, e.kind), ', ') || format('; %s of %s', min(e.skipped), max(e.last_seq))
    from duet.event_list(p_user, p_after, p_limit, p_now => p_now) as e
$$;

select is(pg_temp.events(), '; 0 of 0', 'a new mailbox is empty');
select results_eq(
    $$select outcome, seq, last_seq, skipped from duet.event_list('t-nobody', 0, 5)$$,
    $$values ('user_unknown', null::bigint, null::bigint, null::bigint)$$,
    'a user who is not there is unknown');

select count(*) as sent from pg_temp.send(
    array[:ann, :bob, :ann]::bigint[], array[:bob, :ann, :bob]::bigint[], p_now => now() - interval '6 days') \gset
select count(*) as sent from pg_temp.send(
    array[:ann, :ann]::bigint[], array[:bob, :bob]::bigint[], p_store_seconds => array[604800, 60]) \gset

select is(pg_temp.events(), '1 message, 2 message, 3 message, 4 message, 5 message; 0 of 5',
    'entries come oldest first, both directions');
select is(pg_temp.events(3), '4 message, 5 message; 0 of 5', 'after the given one');
select is(pg_temp.events(1, 2), '2 message, 3 message; 0 of 5', 'at most limit of them');
select is(pg_temp.events(5), '; 0 of 5', 'after the last there is nothing');
select is(pg_temp.events(99), '; 0 of 5', 'nor after one that is not there yet');
select is(pg_temp.events(1, p_now => now() + interval '2 days'), '4 message; 2 of 5',
    'what retention leaves out before the first is counted, and what has expired is left out');
select is(pg_temp.events(4, p_now => now() + interval '2 days'), '; 1 of 5', 'with no entry, all up to the last are counted');
select is(pg_temp.events(2, p_now => now() + interval '8 days'), '; 3 of 5', 'a mailbox may have expired wholly');

select results_eq(
    $$select outcome, seq, kind, at, message_id_receiver, message_id_receiver_seq, message_id_sender,
             message_id_sender_seq, message_id_sent_at, message_id_nonce, message_from, message_to, message_kind,
             message_elements, message_custom_data, message_sent_at, message_sent_by, message_sender_profile_nick,
             message_sender_profile_avatar_url, message_state, message_edited_at
      from duet.event_list('t-bob', 0, 50) where seq <= 2$$,
    $$select 'ok', case when m."to" = 't-bob' then m.id_receiver_seq else m.id_sender_seq end, 'message', m.sent_at,
             m.id_receiver, m.id_receiver_seq, m.id_sender, m.id_sender_seq, m.id_sent_at, m.id_nonce, m."from",
             m."to", m.kind, m.elements, m.custom_data, m.sent_at, m.sent_by, m.sender_profile_nick,
             m.sender_profile_avatar_url, m.state, m.edited_at
      from duet.message_list('t-bob', null, null, null, 'oldest', null, 2) as m$$,
    'an entry holds the message as the history does');

select * from finish();
rollback;
