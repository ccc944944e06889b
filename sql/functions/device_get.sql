-- duet.device_get: one device of a user.
--
-- outcome  ok | user_unknown | device_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, those of device_page
create or replace function duet.device_get(
    p_user text,
    p_device text,
    p_now timestamptz default now()
)
returns duet.device_reply
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
declare
    v device_reply;
    v_owner bigint;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        v.outcome := 'user_unknown';
        return v;
    end if;
    return device_reply_of(v_owner, p_device, null, p_now);
end
$$;
