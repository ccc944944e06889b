-- duet.conversation_read: p_user has read what p_peer has sent up to a message, or up to a time; one of the two is
-- given. The mark only moves forward. The user's own devices learn of it, and those of the peer.
--
-- What was imported has numbers newer than its time: as a message to read up to it stands for its time.
--
-- outcome  ok | user_unknown (pointer: which of them) | message_unknown (also when it is not between the two, or the
--          user has no copy of it)
-- retry    safe: a mark that does not move writes nothing
-- locks    both mailboxes
-- indexes  those of relation_lock; contact_pkey (both directions), mailbox_pkey, mailbox_peer
create or replace function duet.conversation_read(
    p_user text,
    p_peer text,
    p_up_to_id_receiver bigint,
    p_up_to_id_receiver_seq bigint,
    p_up_to_id_sender bigint,
    p_up_to_id_sender_seq bigint,
    p_up_to_id_sent_at timestamptz,
    p_up_to_id_nonce bigint,
    p_up_to_at timestamptz,
    p_now timestamptz default null,
    out outcome text,
    out pointer text,
    out peer text,
    out read_up_to timestamptz,
    out unread bigint
)
language plpgsql security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_peer bigint;
    v_now timestamptz;
    v_horizon timestamptz;
    v_contact contact;
    v_up_to_seq bigint;
    v_up_to_at timestamptz := p_up_to_at;
    v_target record;
    v_details text;
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into outcome, pointer, v_owner, v_peer
    from relation_lock(p_user, p_peer) as l;
    if outcome <> 'ok' then
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());
    v_horizon := message_horizon(v_now);

    if p_up_to_at is null then
        select
            case when e.options & 32 = 0 then e.seq end, case when e.options & 32 <> 0 then e.sent_at end
        into v_up_to_seq, v_up_to_at
        from message_entry as e
        where e.owner = v_owner
          and e.seq = case when v_owner = p_up_to_id_receiver then p_up_to_id_receiver_seq
              else p_up_to_id_sender_seq end
          and e.sent_at = p_up_to_id_sent_at
          and e.peer = v_peer
          and e.kind_no < 16
          and e.sent_at >= v_horizon
          and (e.id_receiver, e.id_receiver_seq, e.id_sender, e.id_sender_seq, e.id_nonce)
              = (p_up_to_id_receiver, p_up_to_id_receiver_seq, p_up_to_id_sender, p_up_to_id_sender_seq,
                 p_up_to_id_nonce);
        if not found then
            outcome := 'message_unknown';
            pointer := '/up_to';
            return;
        end if;
    end if;

    select c.* into v_contact from contact as c where c.owner = v_owner and c.peer = v_peer;
    -- The newest that came from the peer up to there.
    select m.seq, m.sent_at into v_target
    from mailbox as m
    where m.owner = v_owner and m.peer <= v_peer and (m.peer, m.seq) > (v_peer, v_contact.read_seq)
      and m.seq <= coalesce(v_up_to_seq, 9223372036854775807)
      and m.sent_at >= v_horizon and m.sent_at <= coalesce(v_up_to_at, v_now + interval '1 day')
      and m.kind < 16 and not m.outgoing and m.options & 32 = 0
    order by m.peer desc, m.seq desc -- as in conversation_unread
    limit 1;

    if found then
        v_contact.read_seq := v_target.seq;
        v_contact.read_at := greatest(v_contact.read_at, v_target.sent_at);
        v_details := json_build_object('up_to', time_text(v_contact.read_at))::text;
        update contact as c
        set read_seq = v_contact.read_seq, read_at = v_contact.read_at
        where c.owner = v_owner and c.peer = v_peer;
        update contact as c
        set peer_read_at = v_contact.read_at
        where c.owner = v_peer and c.peer = v_owner;
        perform entry_add(array[v_owner], array[v_peer], 19, v_now, v_details);
        perform entry_add(array[v_peer], array[v_owner], 20, v_now, v_details);
    end if;

    peer := p_peer;
    read_up_to := v_contact.read_at;
    select n.unread into unread
    from conversation_unread(v_owner, v_peer, coalesce(v_contact.read_seq, 0), v_horizon, v_now) as n;
end
$$;
