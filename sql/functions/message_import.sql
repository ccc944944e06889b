-- duet.message_import: store messages of the past, each in both mailboxes, at the time at which it was sent. They are
-- history and no news: nobody's devices are told, nothing is unread, no conversation comes to the top.
--
-- p_messages is an array of {"from", "to", "elements" or "text", "custom_data", "sent_at", "client_id"}. The mailboxes
-- number them by their time. One that was stored before, by sender, receiver and client_id, answers with the first,
-- within one call too. One row per item, in their order; an item that is refused leaves the others
-- untouched.
--
-- outcome  ok. problem, of each item: null | user_unknown | too_old (it would not be kept) | in_future | body_too_large
--          (of its elements). status: 201 (it is new) or 200; where there is a problem, what the code has
-- retry    safe for items with a client_id
-- locks    the mailboxes of all the users, in ascending order
-- indexes  app_user_user_id_key, mailbox_head_pkey, mailbox_retry, contact_pkey; those of message_get
create or replace function duet.message_import(
    p_messages json,
    p_sent_by text,
    p_now timestamptz default null
)
returns table (
    outcome text,
    status bigint,
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
    problem text
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
    v_n constant integer := json_array_length(p_messages);
    v_now timestamptz;
    v_horizon timestamptz;
    -- By item.
    v_from text[];
    v_to text[];
    v_sender bigint[];
    v_receiver bigint[];
    v_elements text[];
    v_custom_data text[];
    v_client_id text[];
    v_sent_at timestamptz[];
    v_nonce bigint[];
    v_problem text[];
    v_new boolean[];                -- stored now
    v_first integer[];              -- the item of this call that this one repeats, or itself
    v_sender_seq bigint[];
    v_receiver_seq bigint[];
    v_hit record;
    f integer;
begin
    select
        array_agg(m."from" order by i.n), array_agg(m."to" order by i.n),
        array_agg(
            coalesce(
                nullif(m.elements::text, 'null'),
                '[{"type":"text","text":' || to_json(m.text)::text || '}]'
            )
            order by i.n
        ),
        array_agg(m.custom_data order by i.n), array_agg(m.client_id order by i.n),
        array_agg(m.sent_at order by i.n),
        array_agg(('x' || right(gen_random_uuid()::text, 8))::bit(32)::bigint order by i.n)
    into v_from, v_to, v_elements, v_custom_data, v_client_id, v_sent_at, v_nonce
    from json_array_elements(p_messages) with ordinality as i(item, n),
         json_to_record(i.item) as m(
             "from" text, "to" text, elements json, text text, custom_data text, client_id text,
             sent_at timestamptz
         );
    select array_agg(s.user_no order by i.n), array_agg(r.user_no order by i.n)
    into v_sender, v_receiver
    from unnest(v_from, v_to) with ordinality as i("from", "to", n)
    left join app_user as s on s.user_id = i."from"
    left join app_user as r on r.user_id = i."to";

    perform mailbox_lock(v_sender || v_receiver);
    v_now := coalesce(p_now, clock_timestamp());
    v_horizon := message_horizon(v_now);

    v_problem := array(
        select case
            when s.owner is null or r.owner is null then 'user_unknown'
            when v_sent_at[i] < v_horizon then 'too_old'
            when v_sent_at[i] > v_now then 'in_future'
            when octet_length(v_elements[i]) > 12288 then 'body_too_large'
        end
        from generate_series(1, v_n) as i
        -- Only who was there to be locked.
        left join mailbox_head as s on s.owner = v_sender[i]
        left join mailbox_head as r on r.owner = v_receiver[i]
        order by i
    );
    v_first := array(
        select case
            when v_client_id[i] is null or v_problem[i] is not null then i
            else min(i) filter (where v_problem[i] is null) over same
        end
        from generate_series(1, v_n) as i
        window same as (partition by v_sender[i], v_receiver[i], v_client_id[i])
        order by i
    );
    v_new := array(select v_problem[i] is null and v_first[i] = i from generate_series(1, v_n) as i order by i);

    for v_hit in
        select r.*
        from message_replay(
            v_sender, v_receiver, v_client_id,
            array(
                select case when v_new[i] then retry_mark(v_receiver[i], v_client_id[i]) end
                from generate_series(1, v_n) as i
                order by i
            ),
            v_now
        ) as r
    loop
        v_new[v_hit.item] := false;
        v_receiver_seq[v_hit.item] := v_hit.receiver_seq;
        v_sender_seq[v_hit.item] := v_hit.sender_seq;
        v_sent_at[v_hit.item] := v_hit.sent_at;
        v_nonce[v_hit.item] := v_hit.nonce;
    end loop;

    -- Numbers, by time within each mailbox. Slot i is the sender's copy of item i, v_n + i the receiver's.
    for v_hit in
        with entry as materialized (
            select s as slot, (v_sender || v_receiver)[s] as owner, (s - 1) % v_n + 1 as item
            from generate_series(1, 2 * v_n) as s
            where v_new[(s - 1) % v_n + 1]
        ),
        need as materialized (
            select e.owner, count(*) as n from entry as e group by e.owner order by e.owner
        ),
        head as (
            update mailbox_head as h
            set last_seq = h.last_seq + need.n
            from need
            where h.owner = need.owner
            returning h.owner, h.last_seq - need.n as base
        )
        select
            e.slot,
            e.item,
            head.base + row_number() over (partition by e.owner order by v_sent_at[e.item], e.item) as seq
        from entry as e
        join head on head.owner = e.owner
    loop
        if v_hit.slot <= v_n then
            v_sender_seq[v_hit.item] := v_hit.seq;
        else
            v_receiver_seq[v_hit.item] := v_hit.seq;
        end if;
    end loop;

    insert into mailbox (
        owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, sent_by, client_id, elements,
        custom_data
    )
    select
        case when c.outgoing then v_sender[i] else v_receiver[i] end,
        case when c.outgoing then v_sender_seq[i] else v_receiver_seq[i] end,
        v_sent_at[i],
        case when c.outgoing then v_receiver[i] else v_sender[i] end,
        case when c.outgoing then v_receiver_seq[i] else v_sender_seq[i] end,
        v_nonce[i], 1, 33, c.outgoing, p_sent_by, v_client_id[i], v_elements[i], v_custom_data[i]
    from generate_series(1, v_n) as i, (values (true), (false)) as c(outgoing)
    where v_new[i]
    order by 1, 2;

    insert into contact (owner, peer, created_at)
    select distinct c.owner, c.peer, v_now
    from generate_series(1, v_n) as i,
         lateral (values (v_sender[i], v_receiver[i]), (v_receiver[i], v_sender[i])) as c(owner, peer)
    where v_new[i]
    order by 1, 2
    on conflict (owner, peer) do nothing;

    for i in 1 .. v_n loop
        f := v_first[i];
        problem := v_problem[i];
        status := case when v_problem[i] is not null then bigint '0' when v_new[i] then bigint '201' else bigint '200' end;
        select
            g.id_receiver, g.id_receiver_seq, g.id_sender, g.id_sender_seq, g.id_sent_at,
            g.id_nonce, g."from", g."to", g.kind, g.elements, g.custom_data, g.sent_at, g.sent_by,
            g.sender_profile_nick, g.sender_profile_avatar_url, g.sender_profile_deleted, g.state,
            g.edited_at
        into
            message_id_receiver, message_id_receiver_seq, message_id_sender, message_id_sender_seq,
            message_id_sent_at, message_id_nonce, message_from, message_to, message_kind,
            message_elements, message_custom_data, message_sent_at, message_sent_by,
            message_sender_profile_nick, message_sender_profile_avatar_url,
            message_sender_profile_deleted, message_state, message_edited_at
        from message_get(
            v_receiver[f], v_receiver_seq[f], v_sender[f], v_sender_seq[f], v_sent_at[f], v_nonce[f], null, v_now
        ) as g
        where problem is null;
        outcome := 'ok';
        return next;
    end loop;
end
$$;
