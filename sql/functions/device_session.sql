-- duet.device_session: may a caller act as this device, and is the device logged in?
--
-- p_as_user is null for a back-end service. p_as_device is the device that the token was made for, null where it
-- was made for any; p_issued_at is when.
--
-- outcome  ok | forbidden (the token is another device's) | unauthenticated (the token is older than the end of the
--          device's session) | device_unknown | device_kicked (it must log in again)
-- retry    safe: reads only
-- locks    none
-- indexes  device_pkey
create or replace function duet.device_session(
    p_owner bigint,
    p_device text,
    p_as_user text,
    p_as_device text,
    p_issued_at timestamptz
)
returns text
language plpgsql stable
set search_path = duet, pg_temp
as $$
declare
    v device;
begin
    if p_as_device <> p_device then
        return 'forbidden';
    end if;
    select d.* into v from device as d where d.owner = p_owner and d.device_id = p_device;
    return case
        when p_as_user is not null and date_trunc('second', v.kicked_at) >= p_issued_at then 'unauthenticated'
        when v.logged_in_at is null then 'device_unknown'
        when not v.is_active then 'device_kicked'
        else 'ok'
    end;
end
$$;
