-- duet.conversation_delete: remove a conversation from p_user's list, until a new message brings it back. It is not
-- pinned any more. The user's devices learn of it.
--
-- Where p_messages, its messages go from the user's side, too. There may be very many, so that is left to
-- conversation_clear, which the server calls then.
--
-- outcome  ok | user_unknown (pointer: which of them)
-- retry    safe: what is removed stays so
-- locks    the user's mailbox
-- indexes  those of conversation_lock; contact_pkey, mailbox_peer
create or replace function duet.conversation_delete(
    p_user text,
    p_peer text,
    p_messages boolean,
    p_now timestamptz default null,
    out outcome text,
    out pointer text
)
language plpgsql security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_peer bigint;
    v_now timestamptz;
    v_horizon timestamptz;
    v_hidden_seq bigint;
    v_pinned boolean;
    v_newest_seq bigint;
    v_left boolean;
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into outcome, pointer, v_owner, v_peer
    from conversation_lock(p_user, p_peer) as l;
    if outcome <> 'ok' then
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());
    v_horizon := message_horizon(v_now);

    select c.hidden_seq, c.pinned into v_hidden_seq, v_pinned
    from contact as c
    where c.owner = v_owner and c.peer = v_peer;
    if not found then
        return;
    end if;
    select m.seq into v_newest_seq
    from mailbox as m
    where m.owner = v_owner and m.peer <= v_peer and (m.peer, m.seq) > (v_peer, v_hidden_seq)
      and m.sent_at >= v_horizon and m.sent_at < v_now + interval '1 day'
      and m.kind < 16
    order by m.peer desc, m.seq desc -- as in conversation_unread
    limit 1;
    -- Of those that were hidden before, some may still be there; the newest tell.
    v_left := p_messages and exists (
        select
        from (
            select m.kind, m.deleted
            from mailbox as m
            where m.owner = v_owner and m.peer <= v_peer and (m.peer, m.seq) > (v_peer, 0)
              and m.sent_at >= v_horizon and m.sent_at < v_now + interval '1 day'
            order by m.peer desc, m.seq desc
            limit 1000
        ) as m
        where m.kind < 16 and not m.deleted
    );

    if v_newest_seq is not null or v_pinned or v_left then
        update contact as c
        set hidden_seq = greatest(c.hidden_seq, v_newest_seq), pinned = false
        where c.owner = v_owner and c.peer = v_peer;
        perform entry_add(
            array[v_owner], array[v_peer], 29, v_now,
            json_build_object('removed', true, 'messages_removed', p_messages)::text
        );
    end if;
end
$$;
