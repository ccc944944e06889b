-- duet.message_edit: give a message other elements or other custom data, in both mailboxes. What is null stays as
-- it is; custom data of no bytes are removed. The devices of whoever still sees the message learn of it.
--
-- The policy that would refuse p_as_user a new message refuses the edit too: it says something new.
--
-- outcome  ok | message_unknown | forbidden (p_as_user received it) | message_recalled | edit_too_late |
--          blocked_by_recipient | not_friends | sender_muted
-- retry    safe: a message that is as it shall be is left alone
-- locks    both mailboxes
-- indexes  those of message_lock, message_refusal and message_get
create or replace function duet.message_edit(
    p_id_receiver bigint,
    p_id_receiver_seq bigint,
    p_id_sender bigint,
    p_id_sender_seq bigint,
    p_id_sent_at timestamptz,
    p_id_nonce bigint,
    p_elements text,
    p_custom_data text,
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
    v_elements text;
    v_custom_data text;
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
    if v_lock.recalled then
        v.outcome := 'message_recalled';
        return v;
    end if;
    if v_lock.late then
        v.outcome := 'edit_too_late';
        return v;
    end if;
    if p_as_user is not null then
        select r.outcome into v.outcome
        from message_refusal(array[p_id_sender], array[p_id_receiver], array[16::bigint], v_lock.at) as r;
        if found then
            return v;
        end if;
    end if;

    v_elements := coalesce(p_elements, v_lock.elements);
    v_custom_data := nullif(coalesce(p_custom_data, v_lock.custom_data), '');
    if (v_elements, v_custom_data) is distinct from (v_lock.elements, v_lock.custom_data) then
        update mailbox as m
        set elements = v_elements, custom_data = v_custom_data, edited_at = v_lock.at
        from (values (p_id_receiver, p_id_receiver_seq), (p_id_sender, p_id_sender_seq)) as c(owner, seq)
        where m.owner = c.owner and m.seq = c.seq and m.sent_at = p_id_sent_at;
        perform entry_add(
            v_lock.holder, v_lock.holder_peer, 16, v_lock.at, null, v_lock.holder_seq, p_id_sent_at
        );
    end if;

    return message_get(
        p_id_receiver, p_id_receiver_seq, p_id_sender, p_id_sender_seq, p_id_sent_at, p_id_nonce, null, v_lock.at
    );
end
$$;
