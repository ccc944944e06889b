-- duet.user_token_make: may a token be made for this user, and perhaps for this device of the user alone? The server signs
-- it; nothing is stored.
--
-- issued_at is what the token shall say: now, or the next second where older ones were made void in this one, be it
-- for a device that it is for.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, device_pkey
create or replace function duet.user_token_make(
    p_user text,
    p_device text,
    p_now timestamptz default now(),
    out outcome text,
    out issued_at timestamptz
)
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
begin
    select 'ok', greatest(p_now, u.tokens_valid_from, date_trunc('second', d.kicked_at) + interval '1 second')
    into outcome, issued_at
    from app_user as u
    cross join lateral (
        select max(o.kicked_at) as kicked_at
        from device as o
        where o.owner = u.user_no and (p_device is null or o.device_id = p_device)
    ) as d
    where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
    end if;
end
$$;
