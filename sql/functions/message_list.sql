-- duet.message_list: a page of the history of p_user, with p_peer or (null) with all.
--
-- From p_since (inclusive) until p_until (exclusive), p_order newest or oldest first, by days and within a day by
-- number, beyond the row that p_cursor names, or else beyond the message p_before. Each row has the
-- cursor of what comes after it. A refusal, or an empty page, is one row whose id is null; so is the
-- last row of a page that message_page has ended before it was full. A peer nobody knows has an
-- empty history. Who was deleted has no id in
-- "from" and "to".
--
-- With p_verbose each row has the message's key (message_key), and whether the receiver has read it.
--
-- outcome  ok | user_unknown | cursor_invalid | message_unknown (p_before)
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, those of message_page, app_user_pkey, contact_pkey
create or replace function duet.message_list(
    p_user text,
    p_peer text,
    p_since timestamptz,
    p_until timestamptz,
    p_order text,
    p_cursor text,
    p_limit bigint,
    p_now timestamptz default now(),
    p_before_receiver bigint default 0,
    p_before_receiver_seq bigint default 0,
    p_before_sender bigint default 0,
    p_before_sender_seq bigint default 0,
    p_before_sent_at timestamptz default null,
    p_before_nonce bigint default 0,
    p_verbose boolean default false
)
returns table (
    outcome text,
    id_receiver bigint,
    id_receiver_seq bigint,
    id_sender bigint,
    id_sender_seq bigint,
    id_sent_at timestamptz,
    id_nonce bigint,
    "from" text,
    "to" text,
    kind text,
    elements text,
    custom_data text,
    sent_at timestamptz,
    sent_by text,
    sender_profile_nick text,
    sender_profile_avatar_url text,
    sender_profile_deleted boolean,
    state text,
    edited_at timestamptz,
    key text,
    read text,
    cursor text
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
-- Names are looked up one by one for the page's rows, never by reading all users.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_newest_first constant boolean := coalesce(p_order, 'newest') <> 'oldest';
    v_owner bigint;
    v_peer bigint;
    v_since constant timestamptz := greatest(p_since, message_horizon(p_now));
    -- Nothing is stored in the future; the day to spare is for clocks that are put back.
    v_until constant timestamptz := least(p_until, p_now + interval '1 day');
    v_beyond_seq bigint;
    v_beyond_at timestamptz;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return next;
        return;
    end if;

    if p_cursor is not null then
        if p_cursor !~ '^[0-9]{1,18}\.[0-9]{1,16}$' then
            outcome := 'cursor_invalid';
            return next;
            return;
        end if;
        v_beyond_seq := split_part(p_cursor, '.', 1)::bigint;
        v_beyond_at := to_timestamp(split_part(p_cursor, '.', 2)::bigint / 1e6);
    elsif p_before_receiver <> 0 then
        select m.seq, m.sent_at into v_beyond_seq, v_beyond_at
        from message_entry as m
        where m.owner = v_owner
          and m.seq = case when v_owner = p_before_receiver then p_before_receiver_seq else p_before_sender_seq end
          and m.sent_at = p_before_sent_at
          and (m.id_receiver, m.id_receiver_seq, m.id_sender, m.id_sender_seq, m.id_nonce)
              = (p_before_receiver, p_before_receiver_seq, p_before_sender, p_before_sender_seq, p_before_nonce);
        if not found then
            outcome := 'message_unknown';
            return next;
            return;
        end if;
    end if;

    if p_peer is not null then
        select u.user_no into v_peer from app_user as u where u.user_id = p_peer;
        if not found then
            v_peer := 0; -- nobody's number
        end if;
    end if;

    return query
    select
        'ok', e.id_receiver, e.id_receiver_seq, e.id_sender, e.id_sender_seq, e.id_sent_at, e.id_nonce,
        s.user_id, r.user_id, e.kind, e.elements, e.custom_data,
        e.sent_at, e.sent_by, coalesce(s.nick, ''), coalesce(s.avatar_url, ''), s.user_no is null, e.state,
        e.edited_at,
        case when p_verbose then message_key(e.client_id, e.id_receiver_seq, e.id_nonce, e.sent_at) end,
        case when p_verbose then coalesce(
            -- What was imported has numbers newer than its time.
            case when e.options & 32 <> 0 then e.sent_at <= c.read_at else e.id_receiver_seq <= c.read_seq end, false
        )::text end,
        e.seq || '.' || (extract(epoch from e.sent_at) * 1000000)::bigint
    from message_page(
        v_owner, v_peer, v_since, v_until, v_newest_first, v_beyond_seq, v_beyond_at, p_limit, p_now
    ) with ordinality as e
    left join app_user as s on s.user_no = e.id_sender
    left join app_user as r on r.user_no = e.id_receiver
    left join contact as c on p_verbose and c.owner = e.id_receiver and c.peer = e.id_sender
    order by e.ordinality;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
