-- duet.event_list: the entries of a mailbox after seq p_after, oldest first.
--
-- An entry that is a message, or tells of one that was edited or recalled, has the message as it is now. Where that
-- can no longer be read, or was removed from this mailbox, target_ names it, as long as its row is there. Other
-- entries have a peer and details. Imported messages are history and no news: they are passed over, as are messages
-- that have been removed.
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
    target_receiver bigint,
    target_receiver_seq bigint,
    target_sender bigint,
    target_sender_seq bigint,
    target_sent_at timestamptz,
    target_nonce bigint,
    peer text,
    details text,
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
        select e as entry
        from message_entry as e
        where e.owner = v_owner and e.seq > p_after
          and e.sent_at >= v_horizon and e.sent_at < p_now + interval '1 day'
          and (e.expires_at is null or e.expires_at > p_now)
          and not e.deleted
          and e.options & 32 = 0
        order by e.seq
        limit p_limit
    ),
    -- The second look is taken for those entries alone that tell of another.
    told as materialized (
        select
            p.entry,
            case
                when (p.entry).is_message then p.entry
                when (p.entry).target_seq is not null and (p.entry).kind_no <= 18 then (
                    select t
                    from message_entry as t
                    where t.owner = v_owner
                      and t.seq = (p.entry).target_seq
                      and t.sent_at = (p.entry).target_at
                )
            end as about
        from page as p
    ),
    item as materialized (
        select
            t.entry,
            t.about,
            (t.about).is_message and (t.about).sent_at >= v_horizon
                and ((t.about).expires_at is null or (t.about).expires_at > p_now) as is_shown
        from told as t
    )
    select
        'ok', (i.entry).seq, entry_kind((i.entry).kind_no), (i.entry).sent_at,
        m.id_receiver, m.id_receiver_seq, m.id_sender, m.id_sender_seq, m.id_sent_at, m.id_nonce,
        s.user_id, r.user_id, m.kind, m.elements, m.custom_data,
        m.sent_at, m.sent_by, coalesce(s.nick, ''), coalesce(s.avatar_url, ''), s.user_no is null,
        m.state, m.edited_at,
        t.id_receiver, t.id_receiver_seq, t.id_sender, t.id_sender_seq, t.id_sent_at, t.id_nonce,
        p.user_id, (i.entry).details,
        v_last_seq, (select min((f.entry).seq) from page as f) - p_after - 1
    from item as i
    left join lateral (select (i.about).*) as m on i.is_shown
    left join lateral (select (i.about).*) as t on i.is_shown is false
    left join app_user as s on s.user_no = m.id_sender
    left join app_user as r on r.user_no = m.id_receiver
    left join app_user as p on p.user_no = case when (i.entry).kind_no >= 16 then (i.entry).peer end
    order by (i.entry).seq;

    if not found then
        outcome := 'ok';
        last_seq := v_last_seq;
        skipped := greatest(v_last_seq - p_after, 0);
        return next;
    end if;
end
$$;
