-- duet.notification_pause: stop delivering until notification_resume.
--
-- outcome  ok | notification_unknown | notification_finished (there is nothing left to pause)
-- retry    safe: what is paused stays so
-- locks    those of notification_lock
-- indexes  notification_pkey, those of notification_get
create or replace function duet.notification_pause(
    p_notification text
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
    set state = 'paused', due_at = null
    where n.notification_no = v_no;
    return notification_get(p_notification);
end
$$;
