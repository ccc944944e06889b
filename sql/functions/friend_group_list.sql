-- duet.friend_group_list: the friend groups of p_user by name, each with how many friends are in it.
--
-- A refusal, or an empty list, is one row whose name is null.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, friend_group_pkey, contact_friends, app_user_pkey; groups and friends are
--          limited in number
create or replace function duet.friend_group_list(p_user text)
returns table (outcome text, name text, friends bigint, created_at timestamptz)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_owner bigint;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return next;
        return;
    end if;

    return query
    with member as materialized (
        select n.name, count(*) as n
        from contact as c, unnest(c.groups) as n(name)
        where c.owner = v_owner and c.friend and cardinality(c.groups) > 0
          and exists (select from app_user as u where u.user_no = c.peer)
        group by n.name
    )
    select 'ok', g.name, coalesce(m.n, 0), g.created_at
    from friend_group as g
    left join member as m on m.name = g.name
    where g.owner = v_owner
    order by g.name;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
