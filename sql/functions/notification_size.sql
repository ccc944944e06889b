-- duet.notification_size: for how many users a notification is at this moment, its sender left out.
--
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_pkey, user_tag_tag
create or replace function duet.notification_size(
    p_users bigint[],
    p_tags_any text[],
    p_tags_all text[],
    p_sender bigint
)
returns bigint
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_custom_plan
as $$
begin
    if p_users is not null then
        return cardinality(array_remove(p_users, p_sender))::bigint;
    elsif p_tags_all is not null then
        return (
            select count(*) from user_tag as t
            where t.tag = p_tags_all[1] and t.owner <> p_sender
              and (
                  (p_tags_any is null and cardinality(p_tags_all) = 1)
                  or notification_tags_fit(t.owner, p_tags_any, p_tags_all)
              )
        );
    elsif p_tags_any is not null then
        return (
            select count(distinct t.owner) from user_tag as t
            where t.tag = any (p_tags_any) and t.owner <> p_sender
        );
    end if;
    return (select count(*) from app_user as u where u.user_no <> p_sender);
end
$$;
