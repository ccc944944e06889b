-- duet.message_find: the message between two users that has this key (see message_key), whichever of them sent it;
-- one from p_user goes before one to p_user. It is shown as message_get shows
-- it to p_as_user.
--
-- The client_id holds MsgSeq and MsgRandom; of what was imported the time, too; and where a pair of numbers came again
-- after the 120 seconds that tell repeats, in which span of so many it was sent, by the sender's own clock, which may be
-- a little behind.
--
-- outcome  ok | message_unknown (also when one of the users is not there, or p_key is no key)
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, mailbox_retry, mailbox_pkey; those of message_get
create or replace function duet.message_find(
    p_user text,
    p_peer text,
    p_key text,
    p_as_user text default null,
    p_now timestamptz default now()
)
returns duet.message_reply
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v message_reply;
    v_part text[];
    v_pair text;
    v_at timestamptz;
    v_user bigint;
    v_peer bigint;
    v_id message_id;
begin
    v.outcome := 'message_unknown';
    v_part := regexp_match(p_key, '^([0-9]{1,10})_([0-9]{1,10})_([0-9]{1,10})$');
    if v_part is null then
        return v;
    end if;
    v_pair := v_part[1] || '_' || v_part[2];
    v_at := to_timestamp(v_part[3]::bigint);

    select u.user_no into v_user from app_user as u where u.user_id = p_user;
    select u.user_no into v_peer from app_user as u where u.user_id = p_peer;

    select e.id_receiver, e.id_receiver_seq, e.id_sender, e.id_sender_seq, e.id_sent_at, e.id_nonce
    into v_id
    from (
        values (v_peer, v_user, 1), (v_user, v_peer, 2)
    ) as d(receiver, sender, place)
    cross join lateral (
        select m.*
        from unnest(array[
            v_pair, p_key, v_pair || '_' || v_part[3]::bigint / 120, v_pair || '_' || v_part[3]::bigint / 120 - 1
        ]) as t(client_id)
        join message_entry as m
            on retry_mark(m.owner, m.client_id) = retry_mark(d.receiver, t.client_id)
            and m.client_id is not null and not m.outgoing
            and m.owner = d.receiver and m.peer = d.sender and m.client_id = t.client_id
            and m.sent_at >= v_at and m.sent_at < v_at + interval '1 second'
        union all
        select m.*
        from message_entry as m
        where m.owner = d.receiver and m.seq = v_part[1]::bigint and not m.outgoing and m.peer = d.sender
          and m.sent_at >= v_at and m.sent_at < v_at + interval '1 second'
          and (m.id_nonce & 2147483647) = v_part[2]::bigint
          and message_key(m.client_id, m.seq, m.id_nonce, m.sent_at) = p_key
    ) as e
    where e.kind_no < 16
    order by d.place
    limit 1;
    if not found then
        return v;
    end if;

    return message_get(
        v_id.receiver, v_id.receiver_seq, v_id.sender, v_id.sender_seq, v_id.sent_at, v_id.nonce, p_as_user, p_now
    );
end
$$;
