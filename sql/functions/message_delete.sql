-- duet.message_delete: remove a message from p_user's side alone; the other user keeps it. The user's devices learn
-- of it.
--
-- outcome  ok | user_unknown | message_unknown (also when it is none of the user's)
-- retry    safe: what is removed stays so
-- locks    the user's mailbox
-- indexes  app_user_user_id_key, mailbox_head_pkey, mailbox_pkey
create or replace function duet.message_delete(
    p_user text,
    p_id_receiver bigint,
    p_id_receiver_seq bigint,
    p_id_sender bigint,
    p_id_sender_seq bigint,
    p_id_sent_at timestamptz,
    p_id_nonce bigint,
    p_now timestamptz default null,
    out outcome text
)
language plpgsql security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_owner bigint;
    v_now timestamptz;
    v_copy record;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found or mailbox_lock(array[v_owner]) = 0 then
        outcome := 'user_unknown';
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());

    select m.seq, m.peer, m.deleted into v_copy
    from message_entry as m
    where m.owner = v_owner
      and m.seq = case when v_owner = p_id_receiver then p_id_receiver_seq else p_id_sender_seq end
      and m.sent_at = p_id_sent_at
      and m.kind_no < 16
      and (m.id_receiver, m.id_receiver_seq, m.id_sender, m.id_sender_seq, m.id_nonce)
          = (p_id_receiver, p_id_receiver_seq, p_id_sender, p_id_sender_seq, p_id_nonce)
      and m.sent_at >= message_horizon(v_now)
      and (m.expires_at is null or m.expires_at > v_now);
    if not found then
        outcome := 'message_unknown';
        return;
    end if;

    if not v_copy.deleted then
        update mailbox as m set deleted = true
        where m.owner = v_owner and m.seq = v_copy.seq and m.sent_at = p_id_sent_at;
        perform entry_add(
            array[v_owner], array[v_copy.peer]::bigint[], 18, v_now, null, array[v_copy.seq]::bigint[], p_id_sent_at
        );
    end if;
    outcome := 'ok';
end
$$;
