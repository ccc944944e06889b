-- duet.message_import: store messages of the past, with their own times. They are history and no news: they
-- reach no device, count as unread nowhere and do not change recent contacts.
--
-- p_messages is a JSON array of objects: from, to, elements or text, custom_data, client_id, sent_at. One row
-- per item, in order: status 201, or 200 for one that was stored before with this client_id; or problem, the
-- code of what stands against it alone. The items of a call are numbered in the order of their times; history
-- shows days in order, and within a day what was stored first.
--
-- outcome  ok; of an item: user_unknown | too_old (nobody could read it any more) | in_future
-- retry    safe for items with a client_id, or within request_begin and request_end
-- locks    the mailboxes of all users named, then their contacts
-- indexes  app_user_user_id_key, mailbox_head_pkey, contact_pkey, mailbox_retry
create or replace function duet.message_import(
    p_messages json,
    p_sent_by text,
    p_now timestamptz default now()
)
returns table (
    outcome text,
    status integer,
    problem text,
    id_receiver bigint,
    id_receiver_seq bigint,
    id_sender bigint,
    id_sender_seq bigint,
    id_sent_at timestamptz,
    id_nonce bigint
)
language plpgsql security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_item record;
    v_known record;
    v_status integer[];
    v_problem text[];
    v_id message_id[];
    v_sender_seq bigint;
    v_receiver_seq bigint;
    v_nonce bigint;
begin
    perform mailbox_lock(array(
        select u.user_no
        from app_user as u
        where u.user_id in (
            select i."from" from json_to_recordset(p_messages) as i("from" text)
            union all
            select i."to" from json_to_recordset(p_messages) as i("to" text)
        )
    ));

    for v_item in
        select
            i.place, s.user_no as sender, r.user_no as receiver, i.custom_data, i.client_id, i.sent_at,
            coalesce(
                i.elements::text,
                json_build_array(json_build_object('type', 'text', 'text', i.text))::text
            ) as elements
        from rows from (
            json_to_recordset(p_messages) as (
                "from" text, "to" text, elements json, text text, custom_data text, client_id text,
                sent_at timestamptz
            )
        ) with ordinality as i("from", "to", elements, text, custom_data, client_id, sent_at, place)
        left join app_user as s on s.user_id = i."from"
        left join app_user as r on r.user_id = i."to"
        order by i.sent_at, i.place
    loop
        v_status[v_item.place] := 400;
        if v_item.sender is null or v_item.receiver is null then
            v_problem[v_item.place] := 'user_unknown';
            continue;
        elsif v_item.sent_at < message_horizon(p_now) then
            v_problem[v_item.place] := 'too_old';
            continue;
        elsif v_item.sent_at > p_now then
            v_problem[v_item.place] := 'in_future';
            continue;
        end if;

        if v_item.client_id is not null then
            select r.* into v_known
            from message_replay(
                array[v_item.sender], array[v_item.receiver], array[v_item.client_id],
                array[retry_mark(v_item.receiver, v_item.client_id)], p_now
            ) as r;
            if found then
                v_status[v_item.place] := 200;
                v_id[v_item.place] := row(
                    v_item.receiver, v_known.receiver_seq, v_item.sender, v_known.sender_seq,
                    v_known.sent_at, v_known.nonce
                )::message_id;
                continue;
            end if;
        end if;

        update mailbox_head as h set last_seq = h.last_seq + 1 where h.owner = v_item.receiver
        returning h.last_seq into v_receiver_seq;
        update mailbox_head as h set last_seq = h.last_seq + 1 where h.owner = v_item.sender
        returning h.last_seq into v_sender_seq;
        v_nonce := random_nonce();

        insert into mailbox (
            owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, sent_by, client_id,
            elements, custom_data
        )
        values
            (v_item.receiver, v_receiver_seq, v_item.sent_at, v_item.sender, v_sender_seq, v_nonce, 1,
             33, false, p_sent_by, v_item.client_id, v_item.elements, v_item.custom_data),
            (v_item.sender, v_sender_seq, v_item.sent_at, v_item.receiver, v_receiver_seq, v_nonce, 1,
             33, true, p_sent_by, v_item.client_id, v_item.elements, v_item.custom_data);
        insert into contact (owner, peer, created_at)
        values
            (v_item.receiver, v_item.sender, p_now),
            (v_item.sender, v_item.receiver, p_now)
        on conflict do nothing;

        v_status[v_item.place] := 201;
        v_id[v_item.place] := row(
            v_item.receiver, v_receiver_seq, v_item.sender, v_sender_seq, v_item.sent_at, v_nonce
        )::message_id;
    end loop;

    return query
    select
        'ok', r.status, v_problem[r.place], (v_id[r.place]).receiver, (v_id[r.place]).receiver_seq,
        (v_id[r.place]).sender, (v_id[r.place]).sender_seq, (v_id[r.place]).sent_at,
        (v_id[r.place]).nonce
    from unnest(v_status) with ordinality as r(status, place)
    order by r.place;
end
$$;
