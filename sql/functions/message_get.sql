-- duet.message_get: one message by all that its id holds, from the receiver's mailbox or else the sender's; for
-- p_as_user from that user's own alone. Who was deleted has no id in "from" and "to".
--
-- outcome  ok | message_unknown (also when it has expired, was removed from where it is looked for, or an id was
--          made up)
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_pkey, app_user_pkey, app_user_user_id_key
create or replace function duet.message_get(
    p_id_receiver bigint,
    p_id_receiver_seq bigint,
    p_id_sender bigint,
    p_id_sender_seq bigint,
    p_id_sent_at timestamptz,
    p_id_nonce bigint,
    p_as_user text default null,
    p_now timestamptz default now()
)
returns duet.message_reply
language plpgsql stable security definer
set search_path = duet, pg_temp
-- One plan for all days: planning anew for each id costs more than reading the message.
set plan_cache_mode = force_generic_plan
as $$
declare
    v message_reply;
    v_message message_entry;
    v_user bigint;
begin
    if p_as_user is not null then
        -- Null, which is nobody's number, for who is not there any more.
        select max(u.user_no) into v_user from app_user as u where u.user_id = p_as_user;
    end if;

    select e.* into v_message
    from message_entry as e
    where e.owner = p_id_receiver
      and e.seq = p_id_receiver_seq
      and e.sent_at = p_id_sent_at
      and not e.outgoing
      and e.is_message
      and (p_as_user is null or e.owner = v_user);

    if not found and p_id_sender_seq > 0 then
        select e.* into v_message
        from message_entry as e
        where e.owner = p_id_sender
          and e.seq = p_id_sender_seq
          and e.sent_at = p_id_sent_at
          and e.outgoing
          and e.is_message
          and (p_as_user is null or e.owner = v_user);
    end if;

    if v_message.owner is null
       or (v_message.id_receiver, v_message.id_receiver_seq, v_message.id_sender,
           v_message.id_sender_seq, v_message.id_nonce)
          <> (p_id_receiver, p_id_receiver_seq, p_id_sender, p_id_sender_seq, p_id_nonce)
       or v_message.sent_at < message_horizon(p_now)
       or v_message.expires_at <= p_now then
        v.outcome := 'message_unknown';
        return v;
    end if;

    select
        'ok', v_message.id_receiver, v_message.id_receiver_seq, v_message.id_sender,
        v_message.id_sender_seq, v_message.id_sent_at, v_message.id_nonce,
        max(u.user_id) filter (where u.user_no = v_message.id_sender),
        max(u.user_id) filter (where u.user_no = v_message.id_receiver),
        v_message.kind, v_message.elements, v_message.custom_data, v_message.sent_at,
        v_message.sent_by,
        coalesce(max(u.nick) filter (where u.user_no = v_message.id_sender), ''),
        coalesce(max(u.avatar_url) filter (where u.user_no = v_message.id_sender), ''),
        count(*) filter (where u.user_no = v_message.id_sender) = 0,
        v_message.state, v_message.edited_at
    into v
    from app_user as u
    where u.user_no in (v_message.id_sender, v_message.id_receiver);
    return v;
end
$$;
