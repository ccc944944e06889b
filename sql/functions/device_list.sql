-- duet.device_list: the devices of a user, by name; at most 200. A user without any is one row whose device is null.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, those of device_page
create or replace function duet.device_list(
    p_user text,
    p_now timestamptz default now()
)
returns setof duet.device_reply
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
declare
    v device_reply;
    v_owner bigint;
begin
    v.outcome := 'user_unknown';
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if found then
        v.outcome := 'ok';
        return query
        select
            'ok', null::boolean, p.device, p.platform, p.state, p.push_vendor, p."position", p.created_at,
            p.logged_in_at, p.last_seen_at
        from device_page(v_owner, null, p_now) as p;
        if found then
            return;
        end if;
    end if;
    return next v;
end
$$;
