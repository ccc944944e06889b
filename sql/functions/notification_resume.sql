-- duet.notification_resume: go on with what was paused, not before its time.
--
-- outcome  ok | notification_unknown | notification_finished (there is nothing left to deliver)
-- retry    safe: what is not paused stays as it is
-- locks    those of notification_lock
-- indexes  notification_pkey, those of notification_get
create or replace function duet.notification_resume(
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
    from notification_lock(p_notification, array['waiting', 'running', 'paused']) as l;
    if v.outcome <> 'ok' then
        return v;
    end if;

    update notification as n
    set state = case when n.send_at > p_now then 'waiting' else 'running' end,
        due_at = greatest(n.send_at, p_now)
    where n.notification_no = v_no and n.state = 'paused';
    return notification_get(p_notification);
end
$$;
