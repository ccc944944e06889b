-- duet.user_resolve: the numbers of users; those who are not there are left out.
--
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key
create or replace function duet.user_resolve(p_users text[])
returns table (user_id text, user_no bigint)
language sql stable security definer set search_path = duet, pg_temp
as $$
    select u.user_id, u.user_no
    from app_user as u
    where u.user_id = any (p_users)
$$;
