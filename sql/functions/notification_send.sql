-- duet.notification_send: make a notification, which notification_deliver will bring to its users.
--
-- p_from null: the user "administrator", who is made where there is none. For whom it is: p_to_users, or
-- by tags any of p_to_tags_any and all of p_to_tags_all, or everyone where these are null. sample has some of these users' ids where
-- p_validate_only asks for it; id is null then, for nothing stays of it.
--
-- outcome  ok | user_unknown (pointer says which field names one who is not there)
-- retry    not safe: the server keeps the reply with the request's key
-- locks    none; the row of the user "administrator" while it is being made
-- indexes  app_user_user_id_key, those of notification_page and notification_size
create or replace function duet.notification_send(
    p_from text,
    p_to_users text[],
    p_to_tags_any text[],
    p_to_tags_all text[],
    p_kind text,
    p_elements text,
    p_custom_data text,
    p_push_title text,
    p_push_body text,
    p_push_extension text,
    p_push_vendor text,
    p_options_store_seconds bigint,
    p_options_count_unread boolean,
    p_options_update_recents boolean,
    p_options_push boolean,
    p_rate_per_second bigint,
    p_send_at timestamptz,
    p_expires_in_seconds bigint,
    p_include_new_users_until timestamptz,
    p_created_by text,
    p_validate_only boolean,
    p_now timestamptz default now()
)
returns duet.notification_reply
language plpgsql security definer
set search_path = duet, pg_temp
as $$
declare
    v notification_reply;
    v_sender bigint;
    v_users bigint[];
    -- A tag named twice asks for nothing more.
    v_tags_any constant text[] := (select array_agg(distinct t) from unnest(p_to_tags_any) as t);
    v_tags_all constant text[] := (select array_agg(distinct t) from unnest(p_to_tags_all) as t);
    v_send_at constant timestamptz := greatest(p_send_at, p_now);
    v_no bigint;
begin
    if p_from is null then
        perform user_put('administrator', null, null, null, null, null, null, null, null, null, null)
        where not exists (select from app_user as u where u.user_id = 'administrator');
    end if;
    select u.user_no into v_sender from app_user as u where u.user_id = coalesce(p_from, 'administrator');
    if not found then
        v.outcome := 'user_unknown';
        v.pointer := '/from';
        return v;
    end if;

    if p_to_users is not null then
        select '/to/users/' || (min(i.place) - 1) into v.pointer
        from unnest(p_to_users) with ordinality as i(user_id, place)
        where not exists (select from app_user as u where u.user_id = i.user_id);
        if v.pointer is not null then
            v.outcome := 'user_unknown';
            return v;
        end if;
        v_users := array(
            select u.user_no from app_user as u
            where u.user_id = any (p_to_users)
            order by u.user_no
        );
    end if;

    insert into notification as n (
        sender, created_by, users, tags_any, tags_all, kind, options, store_seconds, elements,
        custom_data, push, state, due_at, send_at, expires_at, rate_per_second, include_new_users_until,
        total, created_at
    )
    values (
        v_sender,
        p_created_by,
        v_users,
        v_tags_any,
        v_tags_all,
        case p_kind when 'custom_system' then 3 else 2 end,
        p_options_count_unread::integer * 2 + p_options_update_recents::integer * 4
            + p_options_push::integer * 8,
        p_options_store_seconds,
        p_elements,
        p_custom_data,
        nullif(json_strip_nulls(json_build_object(
            'title', p_push_title, 'body', p_push_body, 'extension', p_push_extension,
            'vendor', p_push_vendor::json
        ))::text, '{}'),
        case when v_send_at > p_now then 'waiting' else 'running' end,
        v_send_at,
        v_send_at,
        v_send_at + p_expires_in_seconds * interval '1 second',
        p_rate_per_second,
        p_include_new_users_until,
        notification_size(v_users, v_tags_any, v_tags_all, v_sender),
        p_now
    )
    returning n.notification_no into v_no;

    v := notification_get(v_no::text);
    v.created := not p_validate_only;

    if p_validate_only then
        v.id := null;
        v.sample := array(
            select u.user_id
            from notification_page(v_users, v_tags_any, v_tags_all, 0, 9223372036854775807, 1000) as p
            join app_user as u on u.user_no = p.user_no
            where p.chosen and p.user_no <> v_sender
            order by p.user_no
            limit 10
        );
    end if;
    return v;
end
$$;
