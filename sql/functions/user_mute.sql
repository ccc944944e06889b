-- duet.user_mute: until when a user may not send where the policy is enforced: `until` of p_patch; null ends it.
-- A patch without it changes nothing.
--
-- outcome  ok | user_unknown
-- retry    safe: the same again changes nothing but updated_at
-- locks    the user's row
-- indexes  app_user_user_id_key, app_user_pkey
create or replace function duet.user_mute(
    p_user text,
    p_patch jsonb,
    out outcome text,
    out id text,
    out nick text,
    out avatar_url text,
    out gender text,
    out birthday text,
    out language text,
    out location text,
    out signature text,
    out level bigint,
    out custom jsonb,
    out friend_policy text,
    out muted_until timestamptz,
    out created_at timestamptz,
    out updated_at timestamptz
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_no bigint;
begin
    update app_user as u
    set muted_until = case when p_patch ? 'until' then (p_patch ->> 'until')::timestamptz
            else u.muted_until end,
        updated_at = clock_timestamp()
    where u.user_id = p_user
    returning u.user_no into v_user_no;
    if not found then
        outcome := 'user_unknown';
        return;
    end if;

    outcome := 'ok';
    select
        e.id, e.nick, e.avatar_url, e.gender, e.birthday, e.language, e.location, e.signature,
        e.level, e.custom, e.friend_policy, e.muted_until, e.created_at, e.updated_at
    into
        id, nick, avatar_url, gender, birthday, language, location, signature,
        level, custom, friend_policy, muted_until, created_at, updated_at
    from user_entry as e
    where e.user_no = v_user_no;
end
$$;
