-- duet.held_keep: copy entries aside as they are, those of users who are under a legal hold. A copy of a notification
-- gets its body, for the notification is not kept as long.
--
-- retry    safe: what is kept already stays as it was kept first
-- locks    none that others wait for; the caller has hold_lock, or looks once more when it has
-- indexes  hold_pkey, mailbox_pkey (owner, seq), notification_pkey, held_entry_pkey
create or replace function duet.held_keep(p_owner bigint[], p_seq bigint[], p_sent_at timestamptz[])
returns void
language sql
set search_path = duet, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    insert into held_entry (
        owner, seq, sent_at, peer, peer_seq, nonce, expires_at, edited_at, kind, options, outgoing, recalled,
        sent_by, client_id, elements, custom_data, push, deleted, target_seq, target_at, details
    )
    select
        m.owner, m.seq, m.sent_at, m.peer, m.peer_seq, m.nonce, m.expires_at, m.edited_at, m.kind, m.options,
        m.outgoing, m.recalled or n.state is not distinct from 'recalled', m.sent_by, m.client_id,
        case when n.state = 'recalled' then '[]' else coalesce(m.elements, n.elements) end,
        case when n.state = 'recalled' then null when m.elements is null then n.custom_data else m.custom_data end,
        m.push, m.deleted, m.target_seq, m.target_at, m.details
    from unnest(p_owner, p_seq, p_sent_at) as e(owner, seq, sent_at)
    join hold as h on h.owner = e.owner
    cross join lateral (
        select o.*
        from mailbox as o
        where o.owner = e.owner and o.seq >= e.seq and o.seq <= e.seq and o.sent_at = e.sent_at
        order by o.seq -- or a day of which nothing is known yet is looked through for each
        limit 1
    ) as m
    left join notification as n
        on n.notification_no = case when m.kind in (2, 3) then m.target_seq end
    on conflict (owner, seq) do nothing
$$;
