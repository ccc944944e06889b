-- duet.caller_is_good: whether a user token issued at p_issued_at still counts. Called by the server in the
-- statement of each call.
--
-- It does not when the user's tokens were made void since: by kicking, or because the user was deleted and
-- another one made with the same id. Tokens tell whole seconds, so one of the same second counts. p_user null
-- is a back-end token, which always counts; of a user who is no more, the call itself tells. A token that was made
-- for one device, p_device, does not count either when that device's session has ended since, or in that second.
--
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, device_pkey
create or replace function duet.caller_is_good(p_user text, p_issued_at timestamptz, p_device text default null)
returns boolean
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
begin
    return p_user is null or not exists (
        select from app_user as u
        where u.user_id = p_user
          and (
              date_trunc('second', u.tokens_valid_from) > p_issued_at
              or p_device is not null and exists (
                  select from device as d
                  where d.owner = u.user_no
                    and d.device_id = p_device
                    and date_trunc('second', d.kicked_at) >= p_issued_at
              )
          )
    );
end
$$;
