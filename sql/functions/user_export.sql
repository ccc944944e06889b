-- duet.user_export: everything that is known of a user, line by line: the profile, then what the user owns,
-- section after section, last an end with the number of lines before it.
--
-- p_cursor is null at first, then the cursor of the last row of the call before; where that is null, the
-- export is at its end. It is for the server, which makes one reply of all the calls, and is not checked.
-- A call gives p_limit rows at most and stops behind the row that makes p_bytes full, so that neither side
-- ever holds more. Each call sees its own moment; of the mailbox nothing is told that came after the first
-- one, so that an export ends while messages arrive.
--
-- `rest` is a JSON object with what the line says beside its type. An entry that is a message has the
-- message's columns, too. What can no longer be read is not told, but of one who
-- is under a legal hold; and not to p_as_user, the user of a device's token, who learns nothing of the hold.
--
-- outcome  ok | user_unknown (also when the user is deleted between two calls)
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, app_user_pkey, mailbox_head_pkey, user_tag_pkey, contact_pkey,
--          friend_group_pkey, friend_request_pkey, device_pkey, those of kept_entry, audit_entry_on_behalf_of
create or replace function duet.user_export(
    p_user text,
    p_cursor text,
    p_limit bigint default 500,
    p_bytes bigint default 196608,
    p_now timestamptz default now(),
    p_as_user text default null
)
returns table (
    outcome text,
    type text,
    rest text,
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
    cursor text
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
-- Lines without a message have fewer columns than FETCH takes:
-- @plpgsql_check_options: other_warnings = false
declare
    v_at constant jsonb := p_cursor::jsonb;
    v_owner bigint;
    v_created_at timestamptz;
    v_last_seq bigint;
    v_until constant timestamptz := coalesce((v_at ->> 'until')::timestamptz, p_now);
    v_key text := coalesce(v_at ->> 'key', '');
    v_lines bigint := coalesce((v_at ->> 'lines')::bigint, 0);
    v_n integer := 0;
    v_n_bytes bigint := bigint '0';
    v_page refcursor;
begin
    select u.user_no, u.created_at, h.last_seq into v_owner, v_created_at, v_last_seq
    from app_user as u
    join mailbox_head as h on h.owner = u.user_no
    where u.user_id = p_user;
    -- One who was deleted and made again is another user.
    if not found or v_owner <> (v_at ->> 'owner')::bigint then
        outcome := 'user_unknown';
        return next;
        return;
    end if;
    v_last_seq := coalesce((v_at ->> 'last_seq')::bigint, v_last_seq);
    outcome := 'ok';

    for v_section in coalesce((v_at ->> 'section')::integer, 1) .. 11 loop
        -- Each line of a section: its key there, type, rest; of a message, the message's columns.
        case v_section
        when 1 then
            open v_page for
            select
                '', 'user',
                json_build_object(
                    'id', u.user_id, 'nick', u.nick, 'avatar_url', u.avatar_url, 'gender', u.gender,
                    'birthday', to_char(u.birthday, 'YYYY-MM-DD'), 'language', u.language,
                    'location', u.location, 'signature', u.signature, 'level', u.level,
                    'custom', u.custom, 'friend_policy', u.friend_policy,
                    'muted_until',
                    case when isfinite(u.muted_until) then time_text(u.muted_until)
                        when u.muted_until is not null then 'infinity' end,
                    'tokens_valid_from', time_text(u.tokens_valid_from),
                    'created_at', time_text(u.created_at), 'updated_at', time_text(u.updated_at)
                )::text
            from app_user as u
            where u.user_no = v_owner;
        when 2 then
            open v_page for
            select
                t.tag, 'tag',
                json_build_object('tag', t.tag, 'created_at', time_text(t.created_at))::text
            from user_tag as t
            where t.owner = v_owner and t.tag > v_key
            order by t.tag
            limit p_limit;
        when 3 then
            open v_page for
            select
                c.peer::text, 'contact',
                json_build_object(
                    'peer', u.user_id, 'friend', c.friend,
                    'friend_since', time_text(c.friend_since), 'remark', c.remark,
                    'groups', to_json(c.groups), 'custom', c.custom, 'blocked', c.blocked,
                    'blocked_at', time_text(c.blocked_at), 'pinned', c.pinned, 'muted', c.muted,
                    'conversation_groups', to_json(c.conversation_groups), 'marks', c.marks,
                    'custom_mark', c.custom_mark,
                    'read_at', time_text(c.read_at), 'peer_read_at', time_text(c.peer_read_at),
                    'created_at', time_text(c.created_at)
                )::text
            from contact as c
            left join app_user as u on u.user_no = c.peer
            where c.owner = v_owner and c.peer > coalesce(nullif(v_key, ''), '0')::bigint
            order by c.peer
            limit p_limit;
        when 4 then
            open v_page for
            select
                g.name, 'friend_group',
                json_build_object('name', g.name, 'created_at', time_text(g.created_at))::text
            from friend_group as g
            where g.owner = v_owner and g.name > v_key
            order by g.name
            limit p_limit;
        when 5 then
            open v_page for
            select
                r.outgoing || '.' || r.peer, 'friend_request',
                json_build_object(
                    'peer', u.user_id, 'outgoing', r.outgoing, 'text', r.text,
                    'remark', r.remark, 'created_at', time_text(r.created_at),
                    'expires_at', time_text(r.expires_at)
                )::text
            from friend_request as r
            left join app_user as u on u.user_no = r.peer
            where r.owner = v_owner
              and (r.outgoing, r.peer) > (
                  coalesce(nullif(split_part(v_key, '.', 1), ''), 'false')::boolean,
                  coalesce(nullif(split_part(v_key, '.', 2), ''), '0')::bigint)
            order by r.outgoing, r.peer
            limit p_limit;
        when 6 then
            open v_page for
            select
                d.device_id, 'device',
                json_build_object(
                    'device', d.device_id, 'platform', d.platform, 'push_vendor', d.push_vendor,
                    'push_token', d.push_token, 'position', d.position, 'created_at', time_text(d.created_at),
                    'logged_in_at', time_text(d.logged_in_at), 'last_seen_at', time_text(d.seen_at),
                    'kicked_at', time_text(d.kicked_at)
                )::text
            from device as d
            where d.owner = v_owner and d.device_id > v_key
            order by d.device_id
            limit p_limit;
        when 7 then
            open v_page for
            select
                m.seq::text, 'entry',
                case when m.kind < 16 then json_build_object(
                    'seq', m.seq, 'kind', 'message', 'at', time_text(m.sent_at),
                    'expires_at', time_text(m.expires_at), 'client_id', m.client_id, 'push', coalesce(m.push, n.push)::json,
                    'options', json_build_object(
                        'sync_to_sender', m.options & 1 <> 0,
                        'count_unread', m.options & 2 <> 0,
                        'update_recents', m.options & 4 <> 0,
                        'push', m.options & 8 <> 0,
                        'enforce_policy', m.options & 16 <> 0,
                        'imported', m.options & 32 <> 0,
                        'extensible', m.options & 64 <> 0
                    )
                ) else json_build_object(
                    'seq', m.seq, 'kind', entry_kind(m.kind), 'at', time_text(m.sent_at),
                    'peer', p.user_id, 'details', m.details::json
                ) end::text,
                -- As message_entry has it, which cannot be joined: kind and details are not there.
                case when m.kind < 16 then case when m.outgoing then m.peer else m.owner end end,
                case when m.outgoing then m.peer_seq else m.seq end,
                case when m.outgoing then m.owner else m.peer end,
                case when m.outgoing then m.seq else m.peer_seq end,
                m.sent_at, m.nonce,
                case when m.outgoing then o.user_id else p.user_id end,
                case when m.outgoing then p.user_id else o.user_id end,
                case m.kind when 1 then 'chat' when 2 then 'system' when 3 then 'custom_system' end,
                case when n.state = 'recalled' then '[]' else coalesce(m.elements, n.elements) end,
                case
                    when n.state = 'recalled' then null
                    when m.elements is null then n.custom_data
                    else m.custom_data
                end,
                m.sent_at, m.sent_by,
                coalesce(case when m.outgoing then o.nick else p.nick end, ''),
                coalesce(case when m.outgoing then o.avatar_url else p.avatar_url end, ''),
                case when m.outgoing then o.user_no else p.user_no end is null,
                case when m.recalled or n.state = 'recalled' then 'recalled' else 'sent' end, m.edited_at
            from kept_entry(
                v_owner, coalesce(nullif(v_key, ''), '0')::bigint, v_last_seq, p_limit, p_as_user is null, p_now
            ) as m
            left join app_user as p on p.user_no = m.peer
            left join app_user as o on o.user_no = m.owner
            left join notification as n
                on n.notification_no = case when m.kind in (2, 3) then m.target_seq end
            order by m.seq;
        when 8 then
            open v_page for
            select
                (extract(epoch from a.at) * 1000000)::bigint || '.' || a.audit_id, 'audit',
                json_build_object(
                    'at', time_text(a.at), 'subject', a.subject, 'operation', a.operation,
                    'resource', a.resource, 'request_id', a.request_id, 'outcome', a.outcome
                )::text
            from audit_entry as a
            where a.on_behalf_of = p_user
              and a.at >= greatest(v_created_at, audit_horizon(p_now)) and a.at <= v_until
              and (a.at, a.audit_id) > (
                  timestamptz 'epoch'
                  + coalesce(nullif(split_part(v_key, '.', 1), ''), '0')::bigint * interval '1 microsecond',
                  coalesce(nullif(split_part(v_key, '.', 2), ''), '0')::bigint)
            order by a.at, a.audit_id
            limit p_limit;
        when 9 then
            open v_page for
            select
                g.name, 'conversation_group',
                json_build_object('name', g.name, 'created_at', time_text(g.created_at))::text
            from conversation_group as g
            where g.owner = v_owner and g.name > v_key
            order by g.name
            limit p_limit;
        when 10 then
            open v_page for
            select
                e.seq::text, 'message_extension',
                json_build_object('seq', e.seq, 'sent_at', time_text(e.sent_at), 'pairs', e.pairs)::text
            from message_extension as e
            where e.owner = v_owner and e.seq > coalesce(nullif(v_key, ''), '0')::bigint
            order by e.seq
            limit p_limit;
        when 11 then
            open v_page for select '', 'end', json_build_object('lines', v_lines)::text;
        end case;

        loop
            -- What is not a message has no columns of one: they are null.
            fetch v_page into
                v_key, type, rest,
                message_id_receiver, message_id_receiver_seq, message_id_sender, message_id_sender_seq,
                message_id_sent_at, message_id_nonce, message_from, message_to, message_kind,
                message_elements, message_custom_data, message_sent_at, message_sent_by,
                message_sender_profile_nick, message_sender_profile_avatar_url,
                message_sender_profile_deleted, message_state, message_edited_at;
            exit when not found;
            v_lines := v_lines + 1;
            v_n := v_n + 1;
            -- What stands around the texts of a message is some 400 bytes.
            v_n_bytes := v_n_bytes + octet_length(rest) + 400 + coalesce(octet_length(message_elements), 0)
                + coalesce(octet_length(message_custom_data), 0)
                + coalesce(octet_length(message_sender_profile_nick), 0)
                + coalesce(octet_length(message_sender_profile_avatar_url), 0);
            if (v_n >= p_limit or v_n_bytes >= p_bytes) and v_section < 11 then
                cursor := jsonb_build_object(
                    'owner', v_owner, 'last_seq', v_last_seq, 'until', v_until, 'lines', v_lines,
                    'section', v_section + case when v_section = 1 then 1 else 0 end,
                    'key', case when v_section = 1 then '' else v_key end)::text;
                return next;
                close v_page;
                return;
            end if;
            return next;
        end loop;
        close v_page;
        v_key := '';
    end loop;
end
$$;
