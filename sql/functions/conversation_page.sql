-- duet.conversation_page: what there is between a user and each of p_peer, as conversations are shown; pinned ones
-- first, then by their newest message. For conversation_get, conversation_list
-- and conversation_marked_list, whose cursor each row has.
--
-- The last message is the newest one that was sent with update_recents, is not removed or expired, and came after
-- p_owner has removed the conversation from the list. Peers who were deleted are left out.
--
-- What conversation_tail has told need not be looked for again: p_seq and p_sent_at name the last message of each peer,
-- p_unread counts what is unread from p_from_seq on. Null: not known. Where something must be looked for it is only on
-- the days since the two had first to do with each other, or since the owner has read; a day is allowed for a clock
-- that was set back.
--
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_pkey, contact_pkey, mailbox_pkey, mailbox_peer
create or replace function duet.conversation_page(
    p_owner bigint,
    p_peer bigint[],
    p_now timestamptz,
    p_seq bigint[] default null,
    p_sent_at timestamptz[] default null,
    p_unread bigint[] default null,
    p_from_seq bigint default null
)
returns setof duet.conversation_reply
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set enable_sort = off
as $$
declare
    v_horizon constant timestamptz := message_horizon(p_now);
begin
    return query
    select
        'ok', null::text, u.user_id, u.nick, u.avatar_url,
        e.id_receiver, e.id_receiver_seq, e.id_sender, e.id_sender_seq, e.id_sent_at, e.id_nonce,
        case when e.outgoing then o.user_id when not e.outgoing then u.user_id end,
        case when e.outgoing then u.user_id when not e.outgoing then o.user_id end,
        e.kind, e.elements, e.custom_data, e.sent_at, e.sent_by,
        case when e.outgoing then o.nick else u.nick end,
        case when e.outgoing then o.avatar_url else u.avatar_url end,
        false,
        e.state, e.edited_at,
        least(coalesce(p.unread, 0) + n.unread, 1000), c.read_at, c.peer_read_at,
        coalesce(c.pinned, false), coalesce(c.muted, false),
        coalesce(c.conversation_groups, '{}'), coalesce(c.marks, ''), coalesce(c.custom_mark, ''),
        u.user_no::text
    from unnest(p_peer, p_seq, p_sent_at, p_unread) as p(peer, seq, sent_at, unread)
    join app_user as u on u.user_no = p.peer
    join app_user as o on o.user_no = p_owner
    left join contact as c on c.owner = p_owner and c.peer = p.peer
    left join lateral (
        select m.seq, m.sent_at
        from message_entry as m
        where p.seq is null
          and m.owner = p_owner and m.peer <= p.peer and (m.peer, m.seq) > (p.peer, coalesce(c.hidden_seq, 0))
          and m.sent_at >= greatest(v_horizon, c.created_at - interval '1 day')
          and m.sent_at < p_now + interval '1 day'
          and m.is_message and m.options & 36 = 4
          and (m.expires_at is null or m.expires_at > p_now)
        order by m.peer desc, m.seq desc -- as in conversation_unread
        limit 1
    ) as l on true
    left join lateral (
        select m.*
        from message_entry as m
        where m.owner = p_owner and m.seq = coalesce(p.seq, l.seq) and m.sent_at = coalesce(p.sent_at, l.sent_at)
        limit 1
    ) as e on true
    cross join lateral conversation_unread(
        p_owner, p.peer, coalesce(c.read_seq, 0),
        greatest(v_horizon, coalesce(c.read_at, c.created_at) - interval '1 day'), p_now, p_from_seq
    ) as n
    order by coalesce(c.pinned, false) desc, e.seq desc nulls last, u.user_id;
end
$$;
