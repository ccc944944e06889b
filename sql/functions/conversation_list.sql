-- duet.conversation_list: the conversations that p_user has had lately, those that are pinned above, the others by
-- their newest message; at most as many as the setting recent_contacts says. A user without any is one row
-- whose peer is null.
--
-- The peers come from the tail of the log: its last 500 entries hold the newest ones. Where they hold fewer
-- than are asked for, and there is more before them, at most 10000 contacts are looked at, too.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, mailbox_head_pkey, mailbox_pkey, contact_pkey, contact_pinned; those of
--          conversation_page
create or replace function duet.conversation_list(
    p_user text,
    p_now timestamptz default now()
)
returns table (
    outcome text,
    peer text,
    peer_profile_nick text,
    peer_profile_avatar_url text,
    last_message_id_receiver bigint,
    last_message_id_receiver_seq bigint,
    last_message_id_sender bigint,
    last_message_id_sender_seq bigint,
    last_message_id_sent_at timestamptz,
    last_message_id_nonce bigint,
    last_message_from text,
    last_message_to text,
    last_message_kind text,
    last_message_elements text,
    last_message_custom_data text,
    last_message_sent_at timestamptz,
    last_message_sent_by text,
    last_message_sender_profile_nick text,
    last_message_sender_profile_avatar_url text,
    last_message_sender_profile_deleted boolean,
    last_message_state text,
    last_message_edited_at timestamptz,
    unread bigint,
    read_up_to timestamptz,
    peer_read_up_to timestamptz,
    pinned boolean,
    muted boolean
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    v_horizon constant timestamptz := message_horizon(p_now);
    v_owner bigint;
    v_last_seq bigint;
    v_limit bigint;
    v_pinned bigint[];
    v_recent bigint[];
begin
    select u.user_no, h.last_seq, s.recent_contacts::bigint into v_owner, v_last_seq, v_limit
    from app_user as u
    join mailbox_head as h on h.owner = u.user_no
    cross join setting as s
    where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return next;
        return;
    end if;

    v_pinned := array(
        select c.peer
        from contact as c
        join app_user as u on u.user_no = c.peer
        where c.owner = v_owner and c.pinned
        order by c.peer
        limit v_limit
    );
    v_recent := array(
        select r.peer
        from (
            select m.peer, max(m.seq) as seq
            from (
                select * from message_entry as m
                where m.owner = v_owner and m.sent_at >= v_horizon and m.sent_at < p_now + interval '1 day'
                order by m.seq desc
                limit 500
            ) as m
            left join contact as c on c.owner = v_owner and c.peer = m.peer
            where m.is_message and m.options & 36 = 4 and m.seq > coalesce(c.hidden_seq, 0)
              and (m.expires_at is null or m.expires_at > p_now)
            group by m.peer
        ) as r
        join app_user as u on u.user_no = r.peer
        order by r.seq desc
        limit v_limit
    );
    if cardinality(v_recent) < v_limit and v_last_seq > 500 then
        v_recent := array(
            select c.peer
            from (
                select c.peer, c.hidden_seq from contact as c where c.owner = v_owner order by c.peer limit 10000
            ) as c
            join app_user as u on u.user_no = c.peer
            cross join lateral (
                select m.seq
                from message_entry as m
                where m.owner = v_owner and m.peer <= c.peer and (m.peer, m.seq) > (c.peer, c.hidden_seq)
                  and m.sent_at >= v_horizon and m.sent_at < p_now + interval '1 day'
                  and m.is_message and m.options & 36 = 4
                  and (m.expires_at is null or m.expires_at > p_now)
                order by m.peer desc, m.seq desc -- as in conversation_unread
                limit 1
            ) as e
            order by e.seq desc
            limit v_limit
        );
    end if;

    return query
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
    from conversation_page(
        v_owner,
        array(select unnest(v_pinned) union select unnest(v_recent)),
        p_now
    ) with ordinality as c
    order by c.ordinality
    limit v_limit;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
