-- duet.notification_get: a notification, and how far its delivery has come. Of users listed, those who are still
-- there: only their numbers are kept.
--
-- outcome  ok | notification_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  notification_pkey, app_user_pkey
create or replace function duet.notification_get(
    p_notification text
)
returns duet.notification_reply
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
declare
    v notification_reply;
begin
    select
        'ok', null, null::boolean, p.id, p.state, p."from", p.kind, p.total, p.delivered, p.failed, p.recalled, p.rate,
        p.seconds_left, p.rate_per_second, p.send_at, p.expires_at, p.include_new_users_until, p.created_by,
        p.created_at, p.started_at, p.finished_at, p.recalled_at,
        jsonb_strip_nulls(jsonb_build_object(
            'users', case when n.users is not null then (
                select coalesce(jsonb_agg(u.user_id order by i.place), '[]')
                from unnest(n.users) with ordinality as i(user_no, place)
                join app_user as u on u.user_no = i.user_no
            ) end,
            'all', case when n.users is null and n.tags_any is null and n.tags_all is null then true end,
            'tags_any', to_jsonb(n.tags_any),
            'tags_all', to_jsonb(n.tags_all)
        )),
        n.elements, n.custom_data, null::text[]
    into v
    from notification_progress as p
    join notification as n on n.notification_no = p.notification_no
    where p.notification_no = notification_number(p_notification);

    if not found then
        v.outcome := 'notification_unknown';
    end if;
    return v;
end
$$;
