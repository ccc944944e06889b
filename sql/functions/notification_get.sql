-- duet.notification_get: a notification, and how far its delivery has come.
--
-- outcome  ok | notification_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  notification_pkey, app_user_pkey
create or replace function duet.notification_get(
    p_notification text,
    out outcome text,
    out id text,
    out state text,
    out "from" text,
    out kind text,
    out total bigint,
    out delivered bigint,
    out failed bigint,
    out recalled bigint,
    out rate double precision,
    out seconds_left bigint,
    out rate_per_second bigint,
    out send_at timestamptz,
    out expires_at timestamptz,
    out include_new_users_until timestamptz,
    out created_by text,
    out created_at timestamptz,
    out started_at timestamptz,
    out finished_at timestamptz,
    out recalled_at timestamptz,
    out "to" jsonb,
    out elements text,
    out custom_data text
)
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
begin
    select
        'ok', p.id, p.state, p."from", p.kind, p.total, p.delivered, p.failed, p.recalled, p.rate,
        p.seconds_left, p.rate_per_second, p.send_at, p.expires_at, p.include_new_users_until, p.created_by,
        p.created_at, p.started_at, p.finished_at, p.recalled_at, n.audience, n.elements, n.custom_data
    into
        outcome, id, state, "from", kind, total, delivered, failed, recalled, rate,
        seconds_left, rate_per_second, send_at, expires_at, include_new_users_until, created_by,
        created_at, started_at, finished_at, recalled_at, "to", elements, custom_data
    from notification_progress as p
    join notification as n on n.notification_no = p.notification_no
    where p.notification_no = notification_number(p_notification);

    if not found then
        outcome := 'notification_unknown';
    end if;
end
$$;
