-- duet.conversation_patch: pin or mute a conversation of p_user. What p_patch does not name stays; null is false.
-- The user's devices learn of it.
--
-- outcome  ok | user_unknown (pointer: which of them)
-- retry    safe: the same patch again changes nothing
-- locks    the user's mailbox
-- indexes  app_user_user_id_key, mailbox_head_pkey, contact_pkey; those of conversation_page
create or replace function duet.conversation_patch(
    p_user text,
    p_peer text,
    p_patch jsonb,
    p_now timestamptz default null,
    out outcome text,
    out pointer text,
    out peer text,
    out peer_profile_nick text,
    out peer_profile_avatar_url text,
    out last_message_id_receiver bigint,
    out last_message_id_receiver_seq bigint,
    out last_message_id_sender bigint,
    out last_message_id_sender_seq bigint,
    out last_message_id_sent_at timestamptz,
    out last_message_id_nonce bigint,
    out last_message_from text,
    out last_message_to text,
    out last_message_kind text,
    out last_message_elements text,
    out last_message_custom_data text,
    out last_message_sent_at timestamptz,
    out last_message_sent_by text,
    out last_message_sender_profile_nick text,
    out last_message_sender_profile_avatar_url text,
    out last_message_sender_profile_deleted boolean,
    out last_message_state text,
    out last_message_edited_at timestamptz,
    out unread bigint,
    out read_up_to timestamptz,
    out peer_read_up_to timestamptz,
    out pinned boolean,
    out muted boolean
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_peer bigint;
    v_now timestamptz;
    v_old record;
    v_pinned boolean;
    v_muted boolean;
begin
    select max(u.user_no) filter (where u.user_id = p_user), max(u.user_no) filter (where u.user_id = p_peer)
    into v_owner, v_peer
    from app_user as u
    where u.user_id in (p_user, p_peer);
    if v_owner is null or v_peer is null or mailbox_lock(array[v_owner]) = 0 then
        outcome := 'user_unknown';
        pointer := case when v_peer is null then '/peer' else '/user' end;
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());

    select c.pinned, c.muted into v_old from contact as c where c.owner = v_owner and c.peer = v_peer;
    v_pinned := case when p_patch ? 'pinned' then coalesce((p_patch ->> 'pinned')::boolean, false)
        else coalesce(v_old.pinned, false) end;
    v_muted := case when p_patch ? 'muted' then coalesce((p_patch ->> 'muted')::boolean, false)
        else coalesce(v_old.muted, false) end;
    if (v_pinned, v_muted) <> (coalesce(v_old.pinned, false), coalesce(v_old.muted, false)) then
        insert into contact as c (owner, peer, created_at, pinned, muted)
        values (v_owner, v_peer, v_now, v_pinned, v_muted)
        on conflict (owner, peer) do update set pinned = excluded.pinned, muted = excluded.muted;
        perform entry_add(
            array[v_owner], array[v_peer], 29, v_now,
            json_build_object('pinned', v_pinned, 'muted', v_muted)::text
        );
    end if;

    select
        'ok',
        c.peer, c.peer_profile_nick, c.peer_profile_avatar_url, c.last_message_id_receiver,
        c.last_message_id_receiver_seq, c.last_message_id_sender, c.last_message_id_sender_seq,
        c.last_message_id_sent_at, c.last_message_id_nonce, c.last_message_from, c.last_message_to,
        c.last_message_kind, c.last_message_elements, c.last_message_custom_data,
        c.last_message_sent_at, c.last_message_sent_by, c.last_message_sender_profile_nick,
        c.last_message_sender_profile_avatar_url, c.last_message_sender_profile_deleted,
        c.last_message_state, c.last_message_edited_at, c.unread, c.read_up_to, c.peer_read_up_to,
        c.pinned, c.muted
    into
        outcome,
        peer, peer_profile_nick, peer_profile_avatar_url, last_message_id_receiver,
        last_message_id_receiver_seq, last_message_id_sender, last_message_id_sender_seq,
        last_message_id_sent_at, last_message_id_nonce, last_message_from, last_message_to,
        last_message_kind, last_message_elements, last_message_custom_data, last_message_sent_at,
        last_message_sent_by, last_message_sender_profile_nick,
        last_message_sender_profile_avatar_url, last_message_sender_profile_deleted,
        last_message_state, last_message_edited_at, unread, read_up_to, peer_read_up_to, pinned,
        muted
    from conversation_page(v_owner, array[v_peer], v_now) as c;
end
$$;
