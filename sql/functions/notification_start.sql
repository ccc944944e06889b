-- duet.notification_start: the first users are about to be served. For notification_deliver alone.
--
-- Users are served in ascending order of their numbers up to last_position. Where users made later are to be
-- served too, that is before the youngest: a number that was taken earlier may become visible later.
--
-- retry    safe
-- locks    the notification's row (it is held already)
-- indexes  notification_pkey, app_user_pkey
create or replace function duet.notification_start(p_notification bigint, p_now timestamptz)
returns duet.notification
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v duet.notification;
begin
    select n.* into v from notification as n where n.notification_no = p_notification;
    if v.users is not null then
        v.last_position := coalesce(v.users[cardinality(v.users)], 0);
    elsif v.include_new_users_until is not null then
        v.last_position := notification_settled(p_now);
    else
        v.last_position := coalesce((select max(u.user_no) from app_user as u), 0);
    end if;

    update notification as n
    set state = 'running',
        started_at = p_now,
        last_position = v.last_position,
        total = notification_size(n.users, n.tags_any, n.tags_all, n.sender)
    where n.notification_no = p_notification
    returning n.* into v;
    return v;
end
$$;
