-- duet.device_delete: a device logs out. Its position and its push token are forgotten; logging in again, it is a new
-- one. Where there is none, nothing happens.
--
-- outcome  ok | user_unknown | forbidden, unauthenticated (see device_session)
-- retry    safe
-- locks    the device's row
-- indexes  app_user_user_id_key, device_pkey
create or replace function duet.device_delete(
    p_user text,
    p_device text,
    p_as_user text,
    p_as_device text,
    p_issued_at timestamptz,
    out outcome text
)
language plpgsql security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return;
    end if;
    outcome := device_session(v_owner, p_device, p_as_user, p_as_device, p_issued_at);
    if outcome in ('forbidden', 'unauthenticated') then
        return;
    end if;

    outcome := 'ok';
    delete from device as d where d.owner = v_owner and d.device_id = p_device and d.kicked_at is null;
    update device as d
    set logged_in_at = null, position = 0, push_vendor = null, push_token = null
    where d.owner = v_owner and d.device_id = p_device;
end
$$;
