-- duet.position_put: a device has every entry of its mailbox up to p_seq. The position only moves forward.
--
-- outcome  ok | user_unknown | forbidden, unauthenticated, device_unknown, device_kicked (see device_session) |
--          invalid_request (pointer /seq: the mailbox has no such entry yet)
-- retry    safe
-- locks    the device's row
-- indexes  app_user_user_id_key, mailbox_head_pkey, device_pkey
create or replace function duet.position_put(
    p_user text,
    p_device text,
    p_seq bigint,
    p_as_user text,
    p_as_device text,
    p_issued_at timestamptz,
    p_now timestamptz default now(),
    out outcome text,
    out pointer text,
    out seq bigint
)
language plpgsql security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_last_seq bigint;
begin
    select u.user_no, h.last_seq into v_owner, v_last_seq
    from app_user as u
    join mailbox_head as h on h.owner = u.user_no
    where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return;
    end if;
    outcome := device_session(v_owner, p_device, p_as_user, p_as_device, p_issued_at);
    if outcome <> 'ok' then
        return;
    end if;
    if p_seq > v_last_seq then
        outcome := 'invalid_request';
        pointer := '/seq';
        return;
    end if;

    update device as d
    set position = greatest(d.position, p_seq), seen_at = greatest(d.seen_at, p_now)
    where d.owner = v_owner and d.device_id = p_device
    returning d.position into seq;
end
$$;
