-- duet.conversation_group_list: the groups that p_user sorts conversations into, by number.
--
-- A refusal, or an empty list, is one row whose name is null.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, conversation_group_pkey; groups are limited in number
create or replace function duet.conversation_group_list(p_user text)
returns table (outcome text, name text, number bigint, created_at timestamptz)
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
    select 'ok', g.name, g.number, g.created_at
    from conversation_group as g
    where g.owner = v_owner
    order by g.number;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
