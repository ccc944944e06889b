-- duet.notification_size: for about how many users a notification is at this moment, its sender left out: counted
-- where few are to be looked at, else estimated from the statistics that (auto)vacuum and analyze keep.
--
-- Volatile, because nothing else may ask for a plan.
--
-- retry    safe: reads only
-- locks    none
-- indexes  user_tag_tag, user_tag_pkey; those of rows_about
create or replace function duet.notification_size(
    p_users bigint[],
    p_tags_any text[],
    p_tags_all text[],
    p_sender bigint
)
returns bigint
language plpgsql volatile
set search_path = duet, pg_temp
set plan_cache_mode = force_custom_plan
as $$
-- @plpgsql_check_options: performance_warnings = false
declare
    v_most constant bigint := 10000;
    v_tags constant text[] := coalesce(p_tags_all[1:1], p_tags_any);
    v_looked_at bigint;
    v_n bigint;
    v_plan json;
begin
    if p_users is not null then
        return cardinality(array_remove(p_users, p_sender))::bigint;
    elsif v_tags is null then
        return rows_about('app_user') - 1;
    end if;

    select
        count(*),
        count(distinct t.owner) filter (
            where t.owner <> p_sender and (p_tags_all is null or notification_tags_fit(t.owner, p_tags_any, p_tags_all))
        )
    into v_looked_at, v_n
    from (select o.owner from user_tag as o where o.tag = any (v_tags) limit v_most) as t;
    if v_looked_at < v_most then
        return v_n;
    end if;

    -- As many of the others are meant as of those.
    execute format('explain (format json) select from duet.user_tag where tag = any (%L)', v_tags) into v_plan;
    return greatest(v_n, round(v_n * (v_plan -> 0 -> 'Plan' ->> 'Plan Rows')::numeric / v_most)::bigint);
end
$$;
