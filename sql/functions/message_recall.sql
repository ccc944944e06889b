-- duet.message_recall: take a message back, in both mailboxes: nothing of what it said is kept, nor the named values on
-- it. The devices of whoever still sees it learn of it.
--
-- outcome  ok | message_unknown | forbidden (p_as_user received it) | recall_too_late
-- retry    safe: what is recalled stays so
-- locks    both mailboxes; the row of message_extension
-- indexes  those of message_lock and message_get; message_extension_pkey
create or replace function duet.message_recall(
    p_id_receiver bigint,
    p_id_receiver_seq bigint,
    p_id_sender bigint,
    p_id_sender_seq bigint,
    p_id_sent_at timestamptz,
    p_id_nonce bigint,
    p_as_user text,
    p_now timestamptz default null
)
returns duet.message_reply
language plpgsql security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v message_reply;
    v_lock record;
begin
    select * into v_lock
    from message_lock(
        p_id_receiver, p_id_receiver_seq, p_id_sender, p_id_sender_seq, p_id_sent_at, p_id_nonce,
        p_as_user, p_now
    );
    if v_lock.outcome <> 'ok' then
        v.outcome := v_lock.outcome;
        return v;
    end if;
    if v_lock.late and not v_lock.recalled then
        v.outcome := 'recall_too_late';
        return v;
    end if;

    if not v_lock.recalled then
        update mailbox as m
        set recalled = true, elements = '[]', custom_data = null, push = null
        from (values (p_id_receiver, p_id_receiver_seq), (p_id_sender, p_id_sender_seq)) as c(owner, seq)
        where m.owner = c.owner and m.seq = c.seq and m.sent_at = p_id_sent_at;
        delete from message_extension as e where e.owner = p_id_receiver and e.seq = p_id_receiver_seq;
        perform entry_add(
            v_lock.holder, v_lock.holder_peer, 17, v_lock.at, null, v_lock.holder_seq, p_id_sent_at
        );
    end if;

    return message_get(
        p_id_receiver, p_id_receiver_seq, p_id_sender, p_id_sender_seq, p_id_sent_at, p_id_nonce, null, v_lock.at
    );
end
$$;
