-- duet.notification_tags_fit: whether a user has any of p_tags_any (null: that does not matter) and all of
-- p_tags_all (the same).
--
-- retry    safe: reads only
-- locks    none
-- indexes  user_tag_pkey
create or replace function duet.notification_tags_fit(p_owner bigint, p_tags_any text[], p_tags_all text[])
returns boolean
language plpgsql stable
set search_path = duet, pg_temp
as $$
begin
    return (
        p_tags_any is null
        or exists (select from user_tag as t where t.owner = p_owner and t.tag = any (p_tags_any))
    ) and not exists (
        select from unnest(p_tags_all) as a(tag)
        where not exists (select from user_tag as t where t.owner = p_owner and t.tag = a.tag)
    );
end
$$;
