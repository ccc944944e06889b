-- duet.notification_finish: there is nothing left to deliver, or no time. For notification_deliver alone.
--
-- Of users listed, who is no more when the turn came has failed. Others were not named, and may have been counted
-- roughly: who was served is all there were.
--
-- retry    safe
-- locks    the notification's row (it is held already)
-- indexes  notification_pkey, notification_newcomer_pkey
create or replace function duet.notification_finish(p_notification bigint, p_state text, p_now timestamptz)
returns void
language plpgsql
set search_path = duet, pg_temp
as $$
begin
    update notification as n
    set state = p_state,
        due_at = null,
        finished_at = p_now,
        total = case when p_state = 'done' and n.users is null then n.delivered else n.total end,
        failed = case
            when p_state = 'done' and n.users is not null then greatest(n.total - n.delivered, 0)
            else n.failed
        end
    where n.notification_no = p_notification;

    delete from notification_newcomer as s where s.notification_no = p_notification;
end
$$;
