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
    out created_at timestamptz,
    out updated_at timestamptz
)
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
begin
    select
        'ok', u.user_id, u.nick, u.avatar_url, u.gender, to_char(u.birthday, 'YYYY-MM-DD'),
        u.language, u.location, u.signature, u.level::bigint, u.custom, u.friend_policy,
        u.created_at, u.updated_at
    into
        outcome, id, nick, avatar_url, gender, birthday,
        language, location, signature, level, custom, friend_policy,
        created_at, updated_at
    from app_user as u
    where u.user_id = p_user;

    if not found then
        outcome := 'user_unknown';
    end if;
end
$$;
