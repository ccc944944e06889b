-- duet.event_list: the entries of a mailbox after seq p_after, oldest first.
--
-- Each row also says last_seq, the newest entry of the mailbox, and skipped, how many entries between
-- p_after and the first row can no longer be read; where there is no row, all up to last_seq. A refusal,
-- or an empty page, is one row whose seq is null.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none; head and entries are read in one snapshot
-- indexes  app_user_user_id_key, mailbox_head_pkey, mailbox_pkey, app_user_pkey
create or replace function duet.event_list(
    p_user text,
    p_after bigint,
    p_limit bigint,
    p_now timestamptz default now()
)
returns table (
    outcome text,
    seq bigint,
    kind text,
    at timestamptz,
    message_id_receiver bigint,
    message_id_receiver_seq bigint,
    message_id_sender bigint,
    message_id_sender_seq bigint,
    message_id_sent_at timestamptz,
    message_id_nonce bigint,
    message_from text,
    message_to text,
    message_kind text,
    message_elements text,
    message_custom_data text,
    message_sent_at timestamptz,
    message_sent_by text,
    message_sender_profile_nick text,
    message_sender_profile_avatar_url text,
    message_sender_profile_deleted boolean,
    message_state text,
    message_edited_at timestamptz,
    last_seq bigint,
    skipped bigint
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_last_seq bigint;
    v_horizon constant timestamptz := message_horizon(p_now);
begin
    select u.user_no, h.last_seq into v_owner, v_last_seq
    from app_user as u
    join mailbox_head as h on h.owner = u.user_no
    where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return next;
        return;
    end if;

    return query
    with page as materialized (
        select e.*
        from message_entry as e
        where e.owner = v_owner and e.seq > p_after and e.is_message
          and e.sent_at >= v_horizon and e.sent_at < p_now + interval '1 day'
          and (e.expires_at is null or e.expires_at > p_now)
        order by e.seq
        limit p_limit
    )
    select
        'ok', e.seq, 'message', e.sent_at,
        e.id_receiver, e.id_receiver_seq, e.id_sender, e.id_sender_seq, e.id_sent_at, e.id_nonce,
        s.user_id, r.user_id, e.kind, e.elements, e.custom_data,
        e.sent_at, e.sent_by, coalesce(s.nick, ''), coalesce(s.avatar_url, ''), s.user_no is null, e.state,
        e.edited_at,
        v_last_seq, (select min(f.seq) from page as f) - p_after - 1
    from page as e
    left join app_user as s on s.user_no = e.id_sender
    left join app_user as r on r.user_no = e.id_receiver
    order by e.seq;

    if not found then
        outcome := 'ok';
        last_seq := v_last_seq;
        skipped := greatest(v_last_seq - p_after, 0);
        return next;
    end if;
end
$$;
