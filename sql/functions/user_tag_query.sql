-- duet.user_tag_query: all tags of several users, in the order of p_users; those of one by when they were given. A user
-- who is not there has none.
--
-- outcome  ok
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, user_tag_pkey; a user has at most 100
create or replace function duet.user_tag_query(p_users text[])
returns table (outcome text, "user" text, tags text[])
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    return query
    select
        'ok', p.user_id,
        array(select t.tag::text from user_tag as t where t.owner = u.user_no order by t.created_at, t.tag)
    from unnest(p_users) with ordinality as p(user_id, n)
    left join app_user as u on u.user_id = p.user_id
    order by p.n;
end
$$;
