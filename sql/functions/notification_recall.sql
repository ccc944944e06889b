-- duet.notification_recall: take back what was delivered, and deliver no more. Whoever reads it from now on finds it
-- recalled; notification_deliver tells the devices.
--
-- outcome  ok | notification_unknown
-- retry    safe: what is recalled stays so
-- locks    the notification's row, for which it waits while a slice is being delivered
-- indexes  notification_pkey
create or replace function duet.notification_recall(
    p_notification text,
    p_now timestamptz default now()
)
returns duet.notification_reply
language plpgsql security definer
set search_path = duet, pg_temp
as $$
declare
    v_no constant bigint := notification_number(p_notification);
begin
    update notification as n
    set state = 'recalled', due_at = p_now, recalled_at = p_now, finished_at = coalesce(n.finished_at, p_now)
    where n.notification_no = v_no and n.state <> 'recalled';
    delete from notification_newcomer as s where s.notification_no = v_no;
    return notification_get(p_notification);
end
$$;
