-- duet.user_mute: until when a user may not send where the policy is enforced: `until` of p_patch; null ends it.
-- A patch without it changes nothing.
--
-- outcome  ok | user_unknown
-- retry    safe: the same again changes nothing but updated_at
-- locks    the user's row
-- indexes  app_user_user_id_key, app_user_pkey
create or replace function duet.user_mute(
    p_user text,
    p_patch jsonb
)
returns duet.user_reply
language plpgsql security definer set search_path = duet, pg_temp
as $$
begin
    update app_user as u
    set muted_until = case when p_patch ? 'until' then (p_patch ->> 'until')::timestamptz
            else u.muted_until end,
        updated_at = clock_timestamp()
    where u.user_id = p_user;
    return user_get(p_user);
end
$$;
