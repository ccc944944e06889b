-- duet.event_list: the entries of a mailbox after seq p_after, oldest first, as event_show tells them.
--
-- With p_device the rules for offline messages hold (offline_list) for all up to p_until, or the end of the
-- mailbox; and where p_after is null, it is the device's position. Without, all are shown that can still be read
-- (event_pick), and p_after null is 0. p_live_since: since when the caller has been connected.
--
-- Each row also says last_seq, the newest entry of the mailbox; skipped, how many entries between the asked
-- position and the first row are left out, where there is no row up to `reached`; reached, up to where
-- the mailbox has been looked at; and left_out, how many up to there are not among the rows. A refusal, or an
-- empty page, is one row whose seq is null.
--
-- outcome  ok | user_unknown; with p_device those of device_session
-- retry    safe: reads only
-- locks    none; head and entries are read in one snapshot
-- indexes  app_user_user_id_key, mailbox_head_pkey, device_pkey; those of event_pick, offline_list and event_show
create or replace function duet.event_list(
    p_user text,
    p_after bigint,
    p_limit bigint,
    p_device text default null,
    p_until bigint default null,
    p_live_since timestamptz default null,
    p_as_user text default null,
    p_as_device text default null,
    p_issued_at timestamptz default null,
    p_now timestamptz default now()
)
returns table (
    outcome text,
    seq bigint,
    kind text,
    at timestamptz,
    message_id_receiver bigint,
    message_id_receiver_seq bigint,
    message_id_sender bigint,
    message_id_sender_seq bigint,
    message_id_sent_at timestamptz,
    message_id_nonce bigint,
    message_from text,
    message_to text,
    message_kind text,
    message_elements text,
    message_custom_data text,
    message_sent_at timestamptz,
    message_sent_by text,
    message_sender_profile_nick text,
    message_sender_profile_avatar_url text,
    message_sender_profile_deleted boolean,
    message_state text,
    message_edited_at timestamptz,
    target_receiver bigint,
    target_receiver_seq bigint,
    target_sender bigint,
    target_sender_seq bigint,
    target_sent_at timestamptz,
    target_nonce bigint,
    peer text,
    details text,
    last_seq bigint,
    skipped bigint,
    reached bigint,
    left_out bigint
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_last_seq bigint;
    v_after bigint := p_after;
    v_until bigint;
    v_entry message_entry[];
    v_n bigint;
    v_skipped bigint;
    v_reached bigint;
begin
    select u.user_no, h.last_seq into v_owner, v_last_seq
    from app_user as u
    join mailbox_head as h on h.owner = u.user_no
    where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return next;
        return;
    end if;
    if p_device is not null then
        outcome := device_session(v_owner, p_device, p_as_user, p_as_device, p_issued_at);
        if outcome <> 'ok' then
            return next;
            return;
        end if;
        v_after := coalesce(
            v_after, (select d.position from device as d where d.owner = v_owner and d.device_id = p_device)
        );
    end if;
    v_after := coalesce(v_after, 0);

    v_until := least(p_until, v_last_seq);
    if p_device is not null and v_after < v_until then
        v_entry := array(
            select e
            from offline_list(v_owner, v_after, p_limit, p_now) as o
            join message_entry as e on e.owner = v_owner and e.seq = o.seq and e.sent_at = o.sent_at
            where o.seq <= v_until
            order by o.seq
        );
    else
        v_until := v_last_seq;
        v_entry := array(
            select p.entry
            from event_pick(
                array[v_owner], array[v_after], p_limit, message_horizon(p_now), p_live_since, p_now
            ) as p
        );
    end if;

    v_n := cardinality(v_entry)::bigint;
    v_reached := case when v_n = p_limit then (v_entry[v_n]).seq else v_until end;
    v_skipped := case when v_n > 0 then (v_entry[1]).seq - 1 else v_reached end - v_after;

    return query
    select
        'ok', e.seq, e.kind, e.at,
        e.message_id_receiver, e.message_id_receiver_seq, e.message_id_sender, e.message_id_sender_seq,
        e.message_id_sent_at, e.message_id_nonce,
        e.message_from, e.message_to, e.message_kind, e.message_elements, e.message_custom_data,
        e.message_sent_at, e.message_sent_by, e.message_sender_profile_nick, e.message_sender_profile_avatar_url,
        e.message_sender_profile_deleted, e.message_state, e.message_edited_at,
        e.target_receiver, e.target_receiver_seq, e.target_sender, e.target_sender_seq, e.target_sent_at,
        e.target_nonce, e.peer, e.details,
        v_last_seq, greatest(v_skipped, 0), v_reached, greatest(v_reached - v_after, 0) - v_n
    from event_show(v_entry, p_now) as e
    order by e.place;

    if not found then
        outcome := 'ok';
        last_seq := v_last_seq;
        skipped := greatest(v_skipped, 0);
        reached := v_reached;
        left_out := greatest(v_reached - v_after, 0);
        return next;
    end if;
end
$$;
