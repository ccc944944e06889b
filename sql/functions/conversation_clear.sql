-- duet.conversation_clear: remove the next messages of a conversation that conversation_delete has removed from the list,
-- from p_user's side alone, oldest first: of the p_limit entries after p_after, up to p_up_to. To be called with what the
-- call before has answered, at first with nulls, until `after` is null.
--
-- What came after the conversation was removed stays: p_up_to is what was the newest then.
--
-- retry    safe: what is removed stays so
-- locks    up to p_limit rows of mailbox, in ascending order of seq; not the mailbox, so that sends go on
-- indexes  those of user_pair; contact_pkey, mailbox_peer, mailbox_pkey (owner, seq)
create or replace function duet.conversation_clear(
    p_user text,
    p_peer text,
    p_after bigint,
    p_up_to bigint,
    p_limit bigint,
    p_now timestamptz default now(),
    out after bigint,
    out up_to bigint
)
language plpgsql security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_owner bigint;
    v_peer bigint;
begin
    select p.owner_no, p.peer_no into v_owner, v_peer from user_pair(p_user, p_peer) as p;
    up_to := coalesce(
        p_up_to, (select c.hidden_seq from contact as c where c.owner = v_owner and c.peer = v_peer)
    );

    with page as materialized (
        select m.owner, m.seq, m.sent_at, m.kind < 16 and not m.deleted as is_message
        from mailbox as m
        where m.owner = v_owner and m.peer <= v_peer and (m.peer, m.seq) > (v_peer, coalesce(p_after, 0))
          and m.seq <= up_to
          and m.sent_at >= message_horizon(p_now) and m.sent_at < p_now + interval '1 day'
        order by m.peer, m.seq -- as in conversation_unread
        limit p_limit
    ),
    gone as (
        update mailbox as m
        set deleted = true
        from page as p
        where p.is_message and m.owner = p.owner and m.seq = p.seq and m.sent_at = p.sent_at
    )
    select case when count(*) = p_limit then max(p.seq) end into after from page as p;
end
$$;
