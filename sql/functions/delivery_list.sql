-- duet.delivery_list: how far a message has come: stored, read by the receiver, and taken by each of the receiver's
-- devices. For p_as_user (null: a back-end service) only of the user's own messages.
--
-- One row for each device that is logged in, by name; where there is none, one row whose device is null.
--
-- outcome  ok | message_unknown (also when p_as_user has nothing to do with it) | forbidden (p_as_user received it)
-- retry    safe: reads only
-- locks    none
-- indexes  those of message_get; contact_pkey, device_pkey
create or replace function duet.delivery_list(
    p_id_receiver bigint,
    p_id_receiver_seq bigint,
    p_id_sender bigint,
    p_id_sender_seq bigint,
    p_id_sent_at timestamptz,
    p_id_nonce bigint,
    p_as_user text,
    p_now timestamptz default now()
)
returns table (
    outcome text,
    "to" text,
    stored_at timestamptz,
    read boolean,
    device text,
    "position" bigint,
    delivered boolean
)
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        case when g.outcome = 'ok' and p_as_user = g."to" then 'forbidden' else g.outcome end,
        g."to", g.sent_at,
        -- What was imported has numbers newer than its time.
        coalesce(
            case
                when m.options & 32 <> 0 then g.sent_at <= c.read_at
                else p_id_receiver_seq <= c.read_seq
            end,
            false
        ),
        d.device_id, d.position, d.position >= g.id_receiver_seq
    from message_get(
        p_id_receiver, p_id_receiver_seq, p_id_sender, p_id_sender_seq, p_id_sent_at, p_id_nonce,
        p_as_user, p_now
    ) as g
    left join contact as c on c.owner = g.id_receiver and c.peer = g.id_sender
    left join mailbox as m
        on m.owner = g.id_receiver and m.seq = g.id_receiver_seq and m.sent_at = g.id_sent_at
    left join device as d on d.owner = g.id_receiver and d.is_active
    order by d.device_id;
end
$$;
