-- duet.device_page: the devices of a user that have logged in and not out, by name; all, or (p_device) one. Who has
-- a stream open, or waits, is online.
--
-- retry    safe: reads only
-- locks    none
-- indexes  device_pkey, stream_pkey
create or replace function duet.device_page(p_owner bigint, p_device text, p_now timestamptz)
returns table (
    device text,
    platform text,
    state text,
    push_vendor text,
    "position" bigint,
    created_at timestamptz,
    logged_in_at timestamptz,
    last_seen_at timestamptz
)
language sql stable
set search_path = duet, pg_temp
as $$
    select
        d.device_id, d.platform,
        case
            when not d.is_active then 'kicked'
            when s.is_open then 'online'
            when d.push_vendor is not null then 'push'
            else 'offline'
        end,
        d.push_vendor, d.position, d.created_at, d.logged_in_at, case when s.is_open then p_now else d.seen_at end
    from device as d
    cross join lateral (
        select exists (
            select from stream as s where s.owner = d.owner and s.device_id = d.device_id and s.open_until > p_now
        ) as is_open
    ) as s
    where d.owner = p_owner and (p_device is null or d.device_id = p_device) and d.logged_in_at is not null
    order by d.device_id
$$;
