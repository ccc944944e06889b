-- duet.notification_newcomers: the next p_limit users behind last_position whom a notification is for and who do
-- not have it, ascending. For notification_deliver alone.
--
-- retry    safe: reads only
-- locks    none
-- indexes  notification_pkey, app_user_pkey, notification_newcomer_pkey, user_tag_pkey
create or replace function duet.notification_newcomers(p_notification bigint, p_limit bigint)
returns bigint[]
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
as $$
declare
    v duet.notification;
begin
    select n.* into v from notification as n where n.notification_no = p_notification;
    -- Those listed are all there is; a job that was not asked for more has no newcomers.
    if v.include_new_users_until is null then
        return array[]::bigint[];
    end if;
    return array(
        select u.user_no
        from app_user as u
        where u.user_no > v.last_position
          and u.user_no <> v.sender
          and u.created_at <= v.include_new_users_until
          and not exists (
              select from notification_newcomer as s
              where s.notification_no = p_notification and s.user_no = u.user_no
          )
          and (
              (v.tags_any is null and v.tags_all is null)
              or notification_tags_fit(u.user_no, v.tags_any, v.tags_all)
          )
        order by u.user_no
        limit p_limit
    );
end
$$;
