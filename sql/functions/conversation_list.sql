-- duet.conversation_list: the conversations that p_user has had lately, those that are pinned above, the others by
-- their newest message; at most as many as the setting recent_contacts says. A user without any is one row
-- whose peer is null.
--
-- The tail of the log tells the newest of them, with their last messages and most of what is unread, in one look.
-- Where it holds fewer than are asked for, and there is more before it, at most 10000 contacts are looked at, too.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, app_user_pkey, contact_pkey, contact_pinned, mailbox_peer; those of
--          conversation_tail and conversation_page
create or replace function duet.conversation_list(
    p_user text,
    p_now timestamptz default now()
)
returns setof duet.conversation_reply
language plpgsql stable security definer
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
    v conversation_reply;
    v_horizon constant timestamptz := message_horizon(p_now);
    v_owner bigint;
    v_limit bigint;
    v_from_seq bigint;
    -- The first of these have a last message and unread ones in the tail, the others are only named.
    v_peer bigint[];
    v_seq bigint[];
    v_sent_at timestamptz[];
    v_unread bigint[];
begin
    select u.user_no, s.recent_contacts::bigint into v_owner, v_limit
    from app_user as u
    cross join setting as s
    where u.user_id = p_user;
    if not found then
        v.outcome := 'user_unknown';
        return next v;
        return;
    end if;

    select
        max(t.from_seq), coalesce(array_agg(t.peer), '{}'), array_agg(t.seq), array_agg(t.sent_at), array_agg(t.unread)
    into v_from_seq, v_peer, v_seq, v_sent_at, v_unread
    from (
        select t.*
        from conversation_tail(v_owner, v_horizon, p_now) as t
        join app_user as u on u.user_no = t.peer
        where t.seq is not null or t.pinned
        order by t.pinned desc, t.seq desc nulls last
        limit v_limit
    ) as t;

    v_peer := v_peer || array(
        select c.peer
        from contact as c
        join app_user as u on u.user_no = c.peer
        where c.owner = v_owner and c.pinned and c.peer <> all (v_peer)
        order by c.peer
        limit v_limit
    );
    if cardinality(v_peer) < v_limit and v_from_seq is distinct from 0 then
        v_peer := v_peer || array(
            select c.peer
            from (
                select c.peer, c.hidden_seq, c.created_at
                from contact as c
                where c.owner = v_owner and c.peer <> all (v_peer)
                order by c.peer
                limit 10000
            ) as c
            join app_user as u on u.user_no = c.peer
            cross join lateral (
                select m.seq
                from message_entry as m
                where m.owner = v_owner and m.peer <= c.peer and (m.peer, m.seq) > (c.peer, c.hidden_seq)
                  and m.sent_at >= greatest(v_horizon, c.created_at - interval '1 day') -- as in conversation_page
                  and m.sent_at < p_now + interval '1 day'
                  and m.is_message and m.options & 36 = 4
                  and (m.expires_at is null or m.expires_at > p_now)
                order by m.peer desc, m.seq desc -- as in conversation_unread
                limit 1
            ) as e
            order by e.seq desc
            limit v_limit
        );
    end if;

    -- In its order.
    return query
    select c.* from conversation_page(v_owner, v_peer, p_now, v_seq, v_sent_at, v_unread, v_from_seq) as c
    limit v_limit;

    if not found then
        v.outcome := 'ok';
        return next v;
    end if;
end
$$;
