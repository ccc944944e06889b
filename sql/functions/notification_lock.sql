-- duet.notification_lock: the number of a notification that is to be changed, its row locked; whether its state is one
-- of p_states.
--
-- outcome  ok | notification_unknown | notification_finished (its state is another)
-- retry    safe
-- locks    the notification's row, for which it waits while a slice is being delivered
-- indexes  notification_pkey
create or replace function duet.notification_lock(
    p_notification text,
    p_states text[],
    out outcome text,
    out number bigint
)
language plpgsql
set search_path = duet, pg_temp
as $$
begin
    select case when n.state = any (p_states) then 'ok' else 'notification_finished' end, n.notification_no
    into outcome, number
    from notification as n
    where n.notification_no = notification_number(p_notification)
    for update;
    if not found then
        outcome := 'notification_unknown';
    end if;
end
$$;
