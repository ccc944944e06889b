-- duet.device_delete: a device logs out. Its position and its push token are forgotten; logging in again, it is a new
-- one. Where there is none, nothing happens. Streams of the device that are open still end by an entry `kicked`, as in
-- device_kick, with the reason logged_out.
--
-- outcome  ok | user_unknown | forbidden, unauthenticated (see device_session)
-- retry    safe
-- locks    the mailbox, so that a stream is open before, or finds no device; then the device's row
-- indexes  app_user_user_id_key, mailbox_head_pkey, device_pkey, stream_pkey
create or replace function duet.device_delete(
    p_user text,
    p_device text,
    p_as_user text,
    p_as_device text,
    p_issued_at timestamptz,
    p_now timestamptz default null,
    out outcome text
)
language plpgsql security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_now timestamptz;
    v_platform text;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found or mailbox_lock(array[v_owner]) = 0 then
        outcome := 'user_unknown';
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());
    outcome := device_session(v_owner, p_device, p_as_user, p_as_device, p_issued_at);
    if outcome in ('forbidden', 'unauthenticated') then
        return;
    end if;

    outcome := 'ok';
    select d.platform into v_platform
    from device as d
    where d.owner = v_owner and d.device_id = p_device and d.is_active;
    if found and exists (
        select from stream as s
        where s.owner = v_owner and s.device_id = p_device and s.open_until > v_now
    ) then
        perform entry_add(
            array[v_owner], array[v_owner], 30, v_now,
            json_build_object('device', p_device, 'platform', v_platform, 'reason', 'logged_out', 'by', null)::text
        );
    end if;

    delete from device as d where d.owner = v_owner and d.device_id = p_device and d.kicked_at is null;
    update device as d
    set logged_in_at = null, position = 0, push_vendor = null, push_token = null
    where d.owner = v_owner and d.device_id = p_device;
end
$$;
