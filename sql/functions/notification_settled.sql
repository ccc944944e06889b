-- duet.notification_settled: a user's number below which no further users will show up: the newest that is ten
-- minutes old. A transaction that has taken a lower one has ended long since.
--
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_pkey, from its end
create or replace function duet.notification_settled(p_now timestamptz)
returns bigint
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_sort = off
as $$
begin
    return coalesce(
        (
            select u.user_no from app_user as u
            where u.created_at <= p_now - interval '10 minutes'
            order by u.user_no desc
            limit 1
        ),
        0
    );
end
$$;
