-- duet.notification_cancel: stop what is not delivered yet. What is delivered stays. One that is paused, or waits
-- for its time, is cancelled too; what was cancelled before stays so.
--
-- outcome  ok | notification_unknown | notification_finished (there is nothing left to stop)
-- retry    safe
-- locks    those of notification_lock
-- indexes  notification_pkey, those of notification_get
create or replace function duet.notification_cancel(
    p_notification text,
    p_now timestamptz default now()
)
returns duet.notification_reply
language plpgsql security definer
set search_path = duet, pg_temp
as $$
declare
    v notification_reply;
    v_no bigint;
begin
    select l.outcome, l.number into v.outcome, v_no
    from notification_lock(p_notification, array['waiting', 'running', 'paused', 'cancelled']) as l;
    if v.outcome <> 'ok' then
        return v;
    end if;

    update notification as n
    set state = 'cancelled', due_at = null, finished_at = coalesce(n.finished_at, p_now)
    where n.notification_no = v_no and n.state <> 'cancelled';
    delete from notification_newcomer as s where s.notification_no = v_no;
    return notification_get(p_notification);
end
$$;
