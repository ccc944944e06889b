-- duet.held_keep: copy a held user's entries aside as they are: of the mailboxes of held users, those of the time
-- from p_since until p_until, and where p_expired is given only messages that have expired by then. A copy of a
-- notification gets its body, for the notification is not kept as long.
--
-- retry    safe: what is kept already stays as it was kept first
-- locks    none that others wait for
-- indexes  hold_pkey, mailbox_pkey (owner, seq), notification_pkey, held_entry_pkey
create or replace function duet.held_keep(
    p_since timestamptz,
    p_until timestamptz,
    p_expired timestamptz default null
)
returns void
language sql
set search_path = duet, pg_temp
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
    from hold as h
    join mailbox as m on m.owner = h.owner
    left join notification as n
        on n.notification_no = case when m.kind in (2, 3) then m.target_seq end
    where m.sent_at >= p_since and m.sent_at < p_until
      and (p_expired is null or (m.expires_at <= p_expired and m.elements is not null))
    on conflict (owner, seq) do nothing
$$;
