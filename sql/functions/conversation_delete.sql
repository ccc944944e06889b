-- duet.conversation_delete: remove a conversation from p_user's list, until a new message brings it back; where
-- p_messages, remove its messages from the user's side, too. It is not pinned any more. The user's devices
-- learn of it.
--
-- outcome  ok | user_unknown (pointer: which of them)
-- retry    safe: what is removed stays so
-- locks    the user's mailbox
-- indexes  app_user_user_id_key, mailbox_head_pkey, contact_pkey, mailbox_peer
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
as $$
declare
    v_owner bigint;
    v_peer bigint;
    v_now timestamptz;
    v_hidden_seq bigint;
    v_pinned boolean;
    v_newest_seq bigint;
    v_n bigint;
begin
    select max(u.user_no) filter (where u.user_id = p_user), max(u.user_no) filter (where u.user_id = p_peer)
    into v_owner, v_peer
    from app_user as u
    where u.user_id in (p_user, p_peer);
    if v_owner is null or v_peer is null or mailbox_lock(array[v_owner]) = 0 then
        outcome := 'user_unknown';
        pointer := case when v_peer is null then '/peer' else '/user' end;
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());

    select c.hidden_seq, c.pinned into v_hidden_seq, v_pinned
    from contact as c
    where c.owner = v_owner and c.peer = v_peer;
    if found then
        select max(m.seq) into v_newest_seq
        from mailbox as m
        where m.owner = v_owner and m.peer = v_peer and m.kind < 16 and m.seq > v_hidden_seq
          and m.sent_at >= message_horizon(v_now);
        if p_messages then
            update mailbox as m
            set deleted = true
            where m.owner = v_owner and m.peer = v_peer and m.kind < 16 and not m.deleted
              and m.sent_at >= message_horizon(v_now);
            get diagnostics v_n = row_count;
        end if;
        if v_newest_seq is not null or v_pinned or coalesce(v_n, 0) > 0 then
            update contact as c
            set hidden_seq = greatest(c.hidden_seq, v_newest_seq), pinned = false
            where c.owner = v_owner and c.peer = v_peer;
            perform entry_add(
                array[v_owner], array[v_peer], 29, v_now,
                json_build_object('removed', true, 'messages_removed', coalesce(p_messages, false))::text
            );
        end if;
    end if;
    outcome := 'ok';
end
$$;
