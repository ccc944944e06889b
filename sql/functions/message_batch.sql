-- duet.message_batch: one message to each of several receivers, as message_send_batch stores them, in one
-- transaction.
--
-- One row per receiver, in order: status 201, or 200 for one that was sent before with this client_id; or
-- problem, the code of what stands against this receiver alone.
--
-- outcome  ok | user_unknown (the sender)
-- retry    safe with a client_id, or within request_begin and request_end
-- locks    those of message_send_batch: the mailboxes of the sender and of all receivers
-- indexes  app_user_user_id_key, those of message_send_batch
create or replace function duet.message_batch(
    p_from text,
    p_to text[],
    p_elements text,
    p_custom_data text,
    p_client_id text,
    p_push_title text,
    p_push_body text,
    p_push_extension text,
    p_push_vendor text,
    p_options_store_seconds bigint,
    p_options_sync_to_sender boolean,
    p_options_count_unread boolean,
    p_options_update_recents boolean,
    p_options_push boolean,
    p_options_enforce_policy boolean,
    p_options_extensible boolean,
    p_sent_by text,
    p_now timestamptz default null
)
returns table (
    outcome text,
    pointer text,
    "to" text,
    status integer,
    problem text,
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
    message_edited_at timestamptz
)
language plpgsql security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_n constant integer := cardinality(p_to);
    v_sender bigint;
    v_receiver bigint[];
    v_push constant text := nullif(
        json_strip_nulls(json_build_object(
            'title', p_push_title, 'body', p_push_body, 'extension', p_push_extension,
            'vendor', p_push_vendor::json
        ))::text, '{}');
    v_options constant bigint :=
        (p_options_sync_to_sender::integer * 1 + p_options_count_unread::integer * 2
         + p_options_update_recents::integer * 4 + p_options_push::integer * 8
         + p_options_enforce_policy::integer * 16 + p_options_extensible::integer * 64)::bigint;
begin
    select u.user_no into v_sender from app_user as u where u.user_id = p_from;
    if not found then
        outcome := 'user_unknown';
        pointer := '/from';
        return next;
        return;
    end if;
    v_receiver := array(
        select coalesce(u.user_no, 0) -- 0 is nobody's number
        from unnest(p_to) with ordinality as t(id, place)
        left join app_user as u on u.user_id = t.id
        order by t.place
    );

    return query
    select
        'ok',
        null::text,
        t.id,
        case when s.outcome <> 'ok' then 400 when s.replayed then 200 else 201 end,
        case s.outcome when 'ok' then null when 'receiver_unknown' then 'user_unknown' else s.outcome end,
        s.id_receiver, s.id_receiver_seq, s.id_sender, s.id_sender_seq, s.id_sent_at, s.id_nonce,
        p_from, t.id, 'chat',
        case when s.replayed then s.elements else p_elements end,
        case when s.replayed then s.custom_data else p_custom_data end,
        s.id_sent_at,
        case when s.replayed then s.sent_by else p_sent_by end,
        s.sender_profile_nick, s.sender_profile_avatar_url, false,
        case when s.replayed then s.state else 'sent' end,
        s.edited_at
    from message_send_batch(
        array_fill(v_sender, array[v_n]),
        v_receiver,
        array(select random_nonce() from generate_series(1, v_n)),
        array_fill(p_client_id, array[v_n]),
        array_fill(p_elements, array[v_n]),
        array_fill(p_custom_data, array[v_n]),
        array_fill(v_push, array[v_n]),
        array_fill(p_options_store_seconds, array[v_n]),
        array_fill(v_options, array[v_n]),
        array_fill(p_sent_by, array[v_n]),
        array_fill(p_sent_by, array[v_n]),
        array_fill(null::text, array[v_n]),
        array_fill(null::bytea, array[v_n]),
        p_now
    ) as s
    join unnest(p_to) with ordinality as t(id, place) on t.place = s.item
    order by s.item;
end
$$;
