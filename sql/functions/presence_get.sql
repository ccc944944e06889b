-- duet.presence_get: whether a user can be reached, as presence_list says, and through which devices. A user without
-- any is one row whose device is null.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  those of presence_list and device_page
create or replace function duet.presence_get(
    p_user text,
    p_now timestamptz default now()
)
returns table (
    outcome text,
    "user" text,
    state text,
    last_seen_at timestamptz,
    device text,
    platform text,
    device_state text,
    device_last_seen_at timestamptz
)
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        case when l.state = 'unknown' then 'user_unknown' else 'ok' end, l."user", l.state, l.last_seen_at,
        d.device, d.platform, d.state, d.last_seen_at
    from presence_list(array[p_user], p_now) as l
    left join app_user as u on u.user_id = l."user"
    left join lateral device_page(u.user_no, null, p_now) as d on true
    order by d.device;
end
$$;
