-- duet.friend_request_make: p_user asks p_to to be friends, both ways. What comes of it is p_to's to say:
-- friends at once, a pending request, or a refusal. p_remark is what p_user will call p_to.
--
-- Asked again while pending, the text and remark of the request are replaced; it expires when it would have.
--
-- outcome  ok | user_unknown | blocked_by_recipient | friend_policy_refuses | requests_full | friends_full |
--          forbidden (friend_consent).
--          state: accepted (they are friends now, or were) | pending. created: a request is new
-- retry    safe: there is at most one request of a user to another
-- locks    both mailboxes; the limit of pending requests is counted under the receiver's
-- indexes  those of relation_lock, friend_consent and friend_link; friend_request_pkey
create or replace function duet.friend_request_make(
    p_user text,
    p_to text,
    p_text text,
    p_remark text,
    p_now timestamptz default null,
    out outcome text,
    out pointer text,
    out created boolean,
    out state text,
    out peer text,
    out text text,
    out remark text,
    out created_at timestamptz,
    out expires_at timestamptz
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    c_most_pending constant integer := 100;
    v_owner bigint;
    v_peer bigint;
    v_now timestamptz;
    v_before friend_request;
    v_changed boolean;
begin
    select l.outcome, replace(l.pointer, '/peer', '/to'), l.owner_no, l.peer_no
    into outcome, pointer, v_owner, v_peer
    from relation_lock(p_user, p_to) as l;
    if outcome <> 'ok' then
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());
    created := false;
    peer := p_to;
    text := coalesce(p_text, '');
    remark := coalesce(p_remark, '');

    if exists (select from friend as f where f.owner = v_owner and f.peer_no = v_peer and f.mutual) then
        state := 'accepted';
        text := null;
        remark := null;
        return;
    end if;
    outcome := friend_consent(v_owner, v_peer, v_now);
    if outcome = 'agreed' then
        select l.outcome, replace(l.pointer, '/peer', '/to') into outcome, pointer
        from friend_link(v_owner, v_peer, true, nullif(remark, ''), null, null, null, null, v_now) as l;
        state := 'accepted';
        text := null;
        remark := null;
        return;
    end if;
    if outcome <> 'ask' then
        return;
    end if;
    outcome := 'ok';
    state := 'pending';

    -- Those that have expired are as if they were not there.
    delete from friend_request as r
    where ((r.owner = v_peer and not r.outgoing) or (r.owner = v_owner and r.outgoing))
      and r.expires_at <= v_now;

    select * into v_before
    from friend_request as r
    where r.owner = v_owner and r.outgoing and r.peer = v_peer;
    created := not found;
    if created then
        -- The requests of users who were deleted count no more than they are shown.
        if c_most_pending <= (
            select count(*)
            from friend_request as r
            where r.owner = v_peer and not r.outgoing
              and exists (select from app_user as u where u.user_no = r.peer)
        ) then
            outcome := 'requests_full';
            return;
        end if;
        created_at := v_now;
        expires_at := v_now + (select s.friend_request_days from setting as s) * interval '24 hours';
    else
        created_at := v_before.created_at;
        expires_at := v_before.expires_at;
    end if;

    insert into friend_request as r (owner, outgoing, peer, text, remark, created_at, expires_at)
    values
        (v_owner, true, v_peer, text, remark, created_at, expires_at),
        (v_peer, false, v_owner, text, '', created_at, expires_at)
    on conflict (owner, outgoing, peer) do update
    set text = excluded.text,
        remark = excluded.remark;

    v_changed := created or v_before.text <> text;
    if v_changed or v_before.remark <> remark then
        perform entry_add(
            array[v_owner], array[v_peer], 24, v_now,
            jsonb_build_object('direction', 'outgoing', 'text', text, 'remark', remark)::text);
    end if;
    if v_changed then
        perform entry_add(
            array[v_peer], array[v_owner], 24, v_now,
            jsonb_build_object('direction', 'incoming', 'text', text)::text);
    end if;
end
$$;
