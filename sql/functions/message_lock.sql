-- duet.message_lock: a message that is to be changed, with the mailboxes of both its users locked. For message_edit
-- and message_recall.
--
-- For p_as_user (null: a back-end service) only the sender's own message will do; `late` says whether the time
-- that a user has for it is over. holder, holder_peer and holder_seq tell the mailboxes where the message is still
-- seen: what entry_add wants to know.
--
-- outcome  ok | message_unknown (also when p_as_user has nothing to do with it) | forbidden (p_as_user is the receiver)
-- retry    safe: reads only
-- locks    both heads, in ascending order
-- indexes  app_user_user_id_key, mailbox_head_pkey, mailbox_pkey
create or replace function duet.message_lock(
    p_id_receiver bigint,
    p_id_receiver_seq bigint,
    p_id_sender bigint,
    p_id_sender_seq bigint,
    p_id_sent_at timestamptz,
    p_id_nonce bigint,
    p_as_user text,
    p_now timestamptz,
    out outcome text,
    out at timestamptz,
    out late boolean,
    out recalled boolean,
    out elements text,
    out custom_data text,
    out holder bigint[],
    out holder_peer bigint[],
    out holder_seq bigint[]
)
language plpgsql
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_user bigint;
begin
    outcome := 'message_unknown';
    if p_as_user is not null then
        select u.user_no into v_user from app_user as u where u.user_id = p_as_user;
        if not found or v_user not in (p_id_receiver, p_id_sender) then
            return;
        end if;
    end if;

    perform mailbox_lock(array[p_id_receiver, p_id_sender]);
    at := coalesce(p_now, clock_timestamp());

    select
        bool_or(m.recalled), min(m.elements), min(m.custom_data),
        array_agg(m.owner order by m.owner) filter (where not m.deleted),
        array_agg(m.peer order by m.owner) filter (where not m.deleted),
        array_agg(m.seq order by m.owner) filter (where not m.deleted)
    into recalled, elements, custom_data, holder, holder_peer, holder_seq
    from (
        values
            (p_id_receiver, p_id_receiver_seq, false, p_id_sender, p_id_sender_seq),
            (p_id_sender, p_id_sender_seq, true, p_id_receiver, p_id_receiver_seq)
    ) as c(owner, seq, outgoing, peer, peer_seq)
    join mailbox as m
        on m.owner = c.owner and m.seq = c.seq and m.outgoing = c.outgoing
        and m.peer = c.peer and m.peer_seq = c.peer_seq
    where m.sent_at = p_id_sent_at
      and m.nonce = p_id_nonce
      and m.kind < 16
      and m.sent_at >= message_horizon(at)
      and (m.expires_at is null or m.expires_at > at);
    if holder is null then
        return;
    end if;
    if v_user = p_id_receiver then
        outcome := 'forbidden';
        return;
    end if;

    late := v_user is not null
        and p_id_sent_at + (select s.recall_seconds from setting as s) * interval '1 second' < at;
    outcome := 'ok';
end
$$;
