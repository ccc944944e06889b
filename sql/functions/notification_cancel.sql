-- duet.notification_cancel: stop what is not delivered yet. What is delivered stays. One that is paused, or waits
-- for its time, is cancelled too; what was cancelled before stays so.
--
-- outcome  ok | notification_unknown | notification_finished (there is nothing left to stop)
-- retry    safe
-- locks    the notification's row, for which it waits while a slice is being delivered
-- indexes  notification_pkey
create or replace function duet.notification_cancel(
    p_notification text,
    p_now timestamptz default now(),
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
language plpgsql security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_no constant bigint := notification_number(p_notification);
    v_state text;
begin
    select n.state into v_state from notification as n where n.notification_no = v_no for update;
    if not found then
        outcome := 'notification_unknown';
        return;
    end if;

    if v_state not in ('waiting', 'running', 'paused', 'cancelled') then
        outcome := 'notification_finished';
        return;
    end if;
    update notification as n
    set state = 'cancelled', due_at = null, finished_at = coalesce(n.finished_at, p_now)
    where n.notification_no = v_no and n.state <> 'cancelled';

    select
        g.outcome, g.id, g.state, g."from", g.kind, g.total, g.delivered, g.failed, g.recalled,
        g.rate, g.seconds_left, g.rate_per_second, g.send_at, g.expires_at,
        g.include_new_users_until, g.created_by, g.created_at, g.started_at, g.finished_at,
        g.recalled_at, g."to", g.elements, g.custom_data
    into
        outcome, id, state, "from", kind, total, delivered, failed, recalled, rate, seconds_left,
        rate_per_second, send_at, expires_at, include_new_users_until, created_by, created_at,
        started_at, finished_at, recalled_at, "to", elements, custom_data
    from notification_get(p_notification) as g;
end
$$;
