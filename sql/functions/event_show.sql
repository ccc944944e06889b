-- duet.event_show: entries of mailboxes as devices are told of them, in the order of p_entry.
--
-- An entry that is a message, or tells of one that was edited or recalled, has the message as it is now. Where that
-- can no longer be read, or was removed from this mailbox, target_ names it, as long as its row is there. Other
-- entries have a peer and details.
--
-- retry    safe: reads only
-- locks    none
-- indexes  that of entry_at for entries that tell of another; app_user_pkey
create or replace function duet.event_show(p_entry duet.message_entry[], p_now timestamptz)
returns table (
    place bigint,
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
    details text
)
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_horizon constant timestamptz := message_horizon(p_now);
begin
    return query
    select
        e.ordinality, e.seq, entry_kind(e.kind_no), e.sent_at,
        m.id_receiver, m.id_receiver_seq, m.id_sender, m.id_sender_seq, m.id_sent_at, m.id_nonce,
        s.user_id, r.user_id, m.kind, m.elements, m.custom_data,
        m.sent_at, m.sent_by, coalesce(s.nick, ''), coalesce(s.avatar_url, ''), s.user_no is null,
        m.state, m.edited_at,
        n.id_receiver, n.id_receiver_seq, n.id_sender, n.id_sender_seq, n.id_sent_at, n.id_nonce,
        p.user_id, e.details
    from unnest(p_entry) with ordinality as e
    -- The second look is taken for those entries alone that tell of another.
    left join lateral entry_at(
        e.owner, case when not e.is_message and e.kind_no between 16 and 18 then e.target_seq end, e.target_at
    ) as t on true
    -- What was picked may be shown; what another tells of, if it can still be read.
    left join lateral (
        select
            e.id_receiver, e.id_receiver_seq, e.id_sender, e.id_sender_seq, e.id_sent_at, e.id_nonce,
            e.kind, e.elements, e.custom_data, e.sent_at, e.sent_by, e.state, e.edited_at
        where e.is_message
        union all
        select
            t.id_receiver, t.id_receiver_seq, t.id_sender, t.id_sender_seq, t.id_sent_at, t.id_nonce,
            t.kind, t.elements, t.custom_data, t.sent_at, t.sent_by, t.state, t.edited_at
        where t.is_message and t.sent_at >= v_horizon and (t.expires_at is null or t.expires_at > p_now)
    ) as m on true
    left join lateral (select t.*) as n on m.id_sender is null
    left join app_user as s on s.user_no = m.id_sender
    left join app_user as r on r.user_no = m.id_receiver
    left join app_user as p on p.user_no = case when e.kind_no >= 16 then e.peer end
    order by e.ordinality;
end
$$;
