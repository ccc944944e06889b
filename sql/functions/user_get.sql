-- duet.user_get: the profile of a user.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key
create or replace function duet.user_get(
    p_user text,
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
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
begin
    select
        e.id, e.nick, e.avatar_url, e.gender, e.birthday, e.language, e.location, e.signature,
        e.level, e.custom, e.friend_policy, e.muted_until, e.created_at, e.updated_at
    into
        id, nick, avatar_url, gender, birthday, language, location, signature,
        level, custom, friend_policy, muted_until, created_at, updated_at
    from user_entry as e
    where e.id = p_user;

    outcome := case when found then 'ok' else 'user_unknown' end;
end
$$;
