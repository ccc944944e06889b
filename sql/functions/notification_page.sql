-- duet.notification_page: the next p_limit users whom a notification may be for, ascending, behind p_after up
-- to p_until; chosen says whether it is for them. For notification_deliver and notification_send alone.
--
-- Who is not chosen is returned too, so that a page is bounded whatever the tags are.
--
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_pkey, or user_tag_tag and user_tag_pkey
create or replace function duet.notification_page(
    p_users bigint[],
    p_tags_any text[],
    p_tags_all text[],
    p_after bigint,
    p_until bigint,
    p_limit bigint
)
returns table (user_no bigint, chosen boolean)
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
    if p_users is not null then
        return query
        select u, true
        from unnest(p_users) as u
        where u > p_after and u <= p_until
        order by u
        limit p_limit;
    elsif p_tags_all is not null then
        return query
        select t.owner, notification_tags_fit(t.owner, p_tags_any, p_tags_all)
        from user_tag as t
        where t.tag = p_tags_all[1] and t.owner > p_after and t.owner <= p_until
        order by t.owner
        limit p_limit;
    elsif p_tags_any is not null then
        return query
        select distinct t.owner, true
        from unnest(p_tags_any) as a(tag)
        cross join lateral (
            select u.owner
            from user_tag as u
            where u.tag = a.tag and u.owner > p_after and u.owner <= p_until
            order by u.owner
            limit p_limit
        ) as t
        order by t.owner
        limit p_limit;
    else
        return query
        select u.user_no, true
        from app_user as u
        where u.user_no > p_after and u.user_no <= p_until
        order by u.user_no
        limit p_limit;
    end if;
end
$$;
