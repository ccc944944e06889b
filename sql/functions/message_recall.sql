-- duet.message_recall: take a message back, in both mailboxes: nothing of what it said is kept. The devices of
-- whoever still sees it learn of it.
--
-- outcome  ok | message_unknown | forbidden (p_as_user received it) | recall_too_late
-- retry    safe: what is recalled stays so
-- locks    both mailboxes
-- indexes  those of message_lock and message_get
create or replace function duet.message_recall(
    p_id_receiver bigint,
    p_id_receiver_seq bigint,
    p_id_sender bigint,
    p_id_sender_seq bigint,
    p_id_sent_at timestamptz,
    p_id_nonce bigint,
    p_as_user text,
    p_now timestamptz default null,
    out outcome text,
    out id_receiver bigint,
    out id_receiver_seq bigint,
    out id_sender bigint,
    out id_sender_seq bigint,
    out id_sent_at timestamptz,
    out id_nonce bigint,
    out "from" text,
    out "to" text,
    out kind text,
    out elements text,
    out custom_data text,
    out sent_at timestamptz,
    out sent_by text,
    out sender_profile_nick text,
    out sender_profile_avatar_url text,
    out sender_profile_deleted boolean,
    out state text,
    out edited_at timestamptz
)
language plpgsql security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_lock record;
begin
    select * into v_lock
    from message_lock(
        p_id_receiver, p_id_receiver_seq, p_id_sender, p_id_sender_seq, p_id_sent_at, p_id_nonce,
        p_as_user, p_now
    );
    if v_lock.outcome <> 'ok' then
        outcome := v_lock.outcome;
        return;
    end if;
    if v_lock.late and not v_lock.recalled then
        outcome := 'recall_too_late';
        return;
    end if;

    if not v_lock.recalled then
        update mailbox as m
        set recalled = true, elements = '[]', custom_data = null, push = null
        where m.owner = p_id_receiver and m.seq = p_id_receiver_seq and m.sent_at = p_id_sent_at;
        update mailbox as m
        set recalled = true, elements = '[]', custom_data = null, push = null
        where m.owner = p_id_sender and m.seq = p_id_sender_seq and m.sent_at = p_id_sent_at;
        perform entry_add(
            v_lock.holder, v_lock.holder_peer, 17, v_lock.at, null, v_lock.holder_seq, p_id_sent_at
        );
    end if;

    select
        g.outcome, g.id_receiver, g.id_receiver_seq, g.id_sender, g.id_sender_seq, g.id_sent_at,
        g.id_nonce, g."from", g."to", g.kind, g.elements, g.custom_data, g.sent_at, g.sent_by,
        g.sender_profile_nick, g.sender_profile_avatar_url, g.sender_profile_deleted, g.state,
        g.edited_at
    into
        outcome, id_receiver, id_receiver_seq, id_sender, id_sender_seq, id_sent_at, id_nonce,
        "from", "to", kind, elements, custom_data, sent_at, sent_by, sender_profile_nick,
        sender_profile_avatar_url, sender_profile_deleted, state, edited_at
    from message_get(p_id_receiver, p_id_receiver_seq, p_id_sender, p_id_sender_seq, p_id_sent_at, p_id_nonce, null, v_lock.at) as g;
end
$$;
