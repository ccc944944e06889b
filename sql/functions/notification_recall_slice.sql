-- duet.notification_recall_slice: append a message_recalled entry to the mailboxes of the next users who have
-- got a notification that was recalled; of p_limit users that are looked at. For notification_deliver alone.
--
-- retry    safe: what was done is done, the next call goes on behind it
-- locks    the notification's row (it is held already); the heads of the slice in ascending order of owner
-- indexes  notification_pkey, app_user_pkey, mailbox_peer, mailbox_head_pkey
create or replace function duet.notification_recall_slice(
    p_notification bigint,
    p_limit bigint,
    p_now timestamptz,
    out looked_at bigint,
    out served bigint
)
language plpgsql
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v duet.notification;
    v_page bigint[];
    v_owner bigint[];
    v_watched bigint[];
    v_seq bigint[];
    v_at timestamptz[];
    v_now timestamptz;
begin
    select n.* into v from notification as n where n.notification_no = p_notification;
    served := 0::bigint;
    -- Tags may have changed meanwhile: the mailboxes themselves say who got it.
    v_page := case when v.delivered > v.recalled then array(
        select p.user_no
        from notification_page(v.users, null, null, v.recall_position, 9223372036854775807, p_limit) as p
        order by p.user_no
    ) else '{}' end;
    looked_at := cardinality(v_page)::bigint;

    select array_agg(g.owner), array_agg(g.seq), array_agg(g.sent_at) into v_owner, v_seq, v_at
    from (
        select m.owner, m.seq, m.sent_at
        from unnest(v_page) as o(owner)
        cross join lateral (
            select m.owner, m.seq, m.sent_at
            from mailbox as m
            where m.owner = o.owner and m.peer <= v.sender and (m.peer, m.seq) > (v.sender, 0)
              and m.target_seq = p_notification
              and m.kind in (2, 3) and not m.recalled
              and m.sent_at >= v.started_at - interval '1 day'
              and m.sent_at <= v.recalled_at + interval '1 day'
            order by m.peer desc, m.seq desc -- as in conversation_unread
            limit 1
        ) as m
        order by m.owner
    ) as g;

    if cardinality(v_owner) > 0 then
        with need as materialized (
            select n.* from unnest(v_owner, v_seq, v_at) as n(owner, seq, at) order by n.owner
        ),
        head as (
            update mailbox_head as h
            set last_seq = h.last_seq + 1
            from need
            where h.owner = need.owner
            returning h.owner, h.last_seq, need.seq, need.at, h.watched_until > now() as watched
        ),
        locked as materialized (
            select h.* from head as h order by h.owner
        ),
        clock as materialized (
            select coalesce(p_now, clock_timestamp()) as now, count(*) as n from locked as l
        ),
        entry as (
            insert into mailbox (
                owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, target_seq, target_at
            )
            select l.owner, l.last_seq, c.now, v.sender, 0, 0, 17, 0, false, l.seq, l.at
            from clock as c
            cross join locked as l
            returning 1
        )
        select count(*), array(select l.owner from locked as l where l.watched)
        into served, v_watched
        from entry;
        perform mailbox_wake(v_watched);
    end if;

    v_now := coalesce(p_now, clock_timestamp());
    update notification as n
    set recall_position = coalesce(v_page[looked_at], n.recall_position),
        recalled = n.recalled + served,
        due_at = case when looked_at = p_limit then v_now end
    where n.notification_no = p_notification;
end
$$;
