-- duet.presence_list: whether users can be reached, in the order of p_users: online with a stream or a waiting request,
-- push where a device that is logged in has a push token, else offline; unknown where there is no such user.
--
-- outcome  ok
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, stream_pkey, device_pkey
create or replace function duet.presence_list(
    p_users text[],
    p_now timestamptz default now()
)
returns table (outcome text, "user" text, state text, last_seen_at timestamptz)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
    return query
    select
        'ok', p.user_id,
        case
            when u.user_no is null then 'unknown'
            when s.is_open then 'online'
            when d.has_push then 'push'
            else 'offline'
        end,
        case when s.is_open then p_now else d.seen_at end
    from unnest(p_users) with ordinality as p(user_id, n)
    left join app_user as u on u.user_id = p.user_id
    cross join lateral (
        select exists (select from stream as o where o.owner = u.user_no and o.open_until > p_now) as is_open
    ) as s
    cross join lateral (
        select
            max(o.seen_at) as seen_at,
            bool_or(o.push_vendor is not null and o.is_active) as has_push
        from device as o
        where o.owner = u.user_no and o.logged_in_at is not null
    ) as d
    order by p.n;
end
$$;
