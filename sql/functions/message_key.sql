-- duet.message_key: what /v4 calls a message, MsgSeq_MsgRandom_MsgTime. Who sends through /v4 chooses the first two,
-- and they are kept as the message's client_id; for a message of other clients they are its number in the
-- receiver's mailbox and 31 bits of its nonce. MsgTime is the second in which it was sent.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.message_key(
    p_client_id text,
    p_receiver_seq bigint,
    p_nonce bigint,
    p_sent_at timestamptz
)
returns text
language sql immutable
as $$
    select
        case
            when p_client_id ~ '^[0-9]{1,10}_[0-9]{1,10}(_[0-9]{1,10})?$'
                then split_part(p_client_id, '_', 1) || '_' || split_part(p_client_id, '_', 2)
            else (p_receiver_seq & 2147483647) || '_' || (p_nonce & 2147483647)
        end || '_' || floor(extract(epoch from p_sent_at))::bigint
$$;
