-- duet.conversation_get: one conversation of p_user, as conversation_list shows it. Any two users have one, though
-- there may be nothing in it yet.
--
-- outcome  ok | user_unknown (pointer: which of them)
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key; those of conversation_page
create or replace function duet.conversation_get(
    p_user text,
    p_peer text,
    p_now timestamptz default now(),
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
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_peer bigint;
begin
    select max(u.user_no) filter (where u.user_id = p_user), max(u.user_no) filter (where u.user_id = p_peer)
    into v_owner, v_peer
    from app_user as u
    where u.user_id in (p_user, p_peer);
    if v_owner is null or v_peer is null then
        outcome := 'user_unknown';
        pointer := case when v_owner is null then '/user' else '/peer' end;
        return;
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
    from conversation_page(v_owner, array[v_peer], p_now) as c;
end
$$;
