-- duet.notification_settle: all newcomers that there are have been served: forget those below whom none can show
-- up any more, and look again in a second. For notification_deliver alone.
--
-- retry    safe
-- locks    the notification's row (it is held already)
-- indexes  notification_pkey, notification_newcomer_pkey
create or replace function duet.notification_settle(p_notification bigint, p_now timestamptz)
returns void
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v_settled constant bigint := notification_settled(p_now);
begin
    update notification as n
    set last_position = greatest(n.last_position, v_settled),
        position = greatest(n.last_position, v_settled),
        worked_at = null,
        due_at = p_now + interval '1 second'
    where n.notification_no = p_notification;

    delete from notification_newcomer as s
    where s.notification_no = p_notification and s.user_no <= v_settled;
end
$$;
