-- duet.device_kick: end the sessions of some devices of a user, whose mailbox the caller has locked. Each of them
-- leaves an entry `kicked`, from which the device itself, and the user's others, learn of it. Returns how many sessions
-- ended; those that had ended before do not count.
--
-- p_reason is kicked, or policy where p_by, another device, has logged in.
--
-- retry    safe: a session ends once
-- locks    the devices' rows
-- indexes  device_pkey
create or replace function duet.device_kick(
    p_owner bigint,
    p_device text[],
    p_reason text,
    p_by text,
    p_now timestamptz
)
returns bigint
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v record;
    v_n bigint := bigint '0';
begin
    for v in
        update device as d
        -- A clock may have been put back since the login.
        set kicked_at = greatest(p_now, d.logged_in_at, d.kicked_at)
        where d.owner = p_owner
          and d.device_id = any (p_device)
          and d.is_active
        returning d.device_id, d.platform
    loop
        perform entry_add(
            array[p_owner], array[p_owner], 30, p_now,
            json_build_object('device', v.device_id, 'platform', v.platform, 'reason', p_reason, 'by', p_by)::text
        );
        v_n := v_n + 1;
    end loop;
    return v_n;
end
$$;
