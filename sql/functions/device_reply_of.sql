-- duet.device_reply_of: a device as calls answer with it.
--
-- outcome  ok | device_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  those of device_page
create or replace function duet.device_reply_of(
    p_owner bigint,
    p_device text,
    p_created boolean,
    p_now timestamptz
)
returns duet.device_reply
language plpgsql stable
set search_path = duet, pg_temp
as $$
declare
    v device_reply;
begin
    select
        'ok', p_created, p.device, p.platform, p.state, p.push_vendor, p."position", p.created_at, p.logged_in_at,
        p.last_seen_at
    into v
    from device_page(p_owner, p_device, p_now) as p;
    if not found then
        v.outcome := 'device_unknown';
    end if;
    return v;
end
$$;
