-- duet.notification_list: a page of notifications, newest first, beyond the row that p_cursor names. Each row
-- has the cursor of what comes after it. A refusal, or an empty page, is one row whose id is null.
--
-- outcome  ok | cursor_invalid
-- retry    safe: reads only
-- locks    none
-- indexes  notification_pkey, app_user_pkey
create or replace function duet.notification_list(p_cursor text, p_limit bigint)
returns table (
    outcome text,
    id text,
    state text,
    "from" text,
    kind text,
    total bigint,
    delivered bigint,
    failed bigint,
    recalled bigint,
    rate double precision,
    seconds_left bigint,
    rate_per_second bigint,
    send_at timestamptz,
    expires_at timestamptz,
    include_new_users_until timestamptz,
    created_by text,
    created_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    recalled_at timestamptz,
    cursor text
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
    if p_cursor is not null and notification_number(p_cursor) is null then
        outcome := 'cursor_invalid';
        return next;
        return;
    end if;

    return query
    select
        'ok', p.id, p.state, p."from", p.kind, p.total, p.delivered, p.failed, p.recalled, p.rate,
        p.seconds_left, p.rate_per_second, p.send_at, p.expires_at, p.include_new_users_until, p.created_by,
        p.created_at, p.started_at, p.finished_at, p.recalled_at, p.id
    from notification_progress as p
    where p.notification_no < coalesce(notification_number(p_cursor), 9223372036854775807)
    order by p.notification_no desc
    limit p_limit;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
