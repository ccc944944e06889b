-- duet.stats_get: how much there is, and how busy it is: one row for each of the closed hours of the last day, newest
-- first, each with the figures of the whole. Where no hour has been closed there is one row whose hour is null.
-- messages_by_day has the sums of the closed hours of each of 30 days at most, newest first.
--
-- The numbers of users and devices are counted up to 100000, and beyond that are those of the database's statistics.
--
-- outcome  ok
-- retry    safe: reads only
-- locks    none
-- indexes  archive_pkey
create or replace function duet.stats_get(p_now timestamptz default now())
returns table (
    outcome text,
    at timestamptz,
    users bigint,
    devices bigint,
    users_online bigint,
    streams bigint,
    visible_since timestamptz,
    database_bytes bigint,
    messages_by_day jsonb,
    hour text,
    messages bigint
)
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with size as (
        select
            rows_about('app_user') as users,
            rows_about('device') as devices,
            pg_database_size(current_database()) as database_bytes
    ),
    live as (
        select count(distinct s.owner) as users, count(*) as streams from stream as s where s.open_until > p_now
    ),
    day as (
        select (a.hour at time zone 'UTC')::date as day, sum(a.messages)::bigint as messages
        from archive as a
        where a.closed_at is not null and a.hour >= date_trunc('day', p_now, 'UTC') - interval '29 days'
          and a.hour < p_now
        group by 1
    )
    select
        'ok', p_now, size.users, size.devices, live.users, live.streams, message_horizon(p_now), size.database_bytes,
        (
            select coalesce(jsonb_agg(jsonb_build_object('day', d.day, 'messages', d.messages) order by d.day desc), '[]')
            from day as d
        ),
        archive_hour(a.hour), a.messages
    from size
    cross join live
    left join archive as a on a.closed_at is not null and a.hour >= p_now - interval '25 hours' and a.hour < p_now
    order by a.hour desc;
end
$$;
