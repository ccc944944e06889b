-- duet.user_put: make a user, or replace the profile of one who exists. What is null becomes the default.
--
-- Where the nick or the avatar of one who exists changes, the devices of that user and of mutual friends learn
-- of it.
--
-- outcome  ok | invalid_request (the birthday is no day)
-- retry    safe: the same profile again changes nothing but updated_at
-- locks    those of user_store, then those of profile_announce
-- indexes  app_user_pkey, those of user_store and profile_announce
create or replace function duet.user_put(
    p_user text,
    p_nick text,
    p_avatar_url text,
    p_gender text,
    p_birthday text,
    p_language text,
    p_location text,
    p_signature text,
    p_level bigint,
    p_custom jsonb,
    p_friend_policy text,
    out outcome text,
    out created boolean,
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
    v_stored record;
begin
    select s.* into v_stored
    from user_store(
        p_user, p_nick, p_avatar_url, p_gender, p_birthday, p_language, p_location, p_signature,
        p_level, p_custom, p_friend_policy
    ) as s;
    outcome := v_stored.outcome;
    if outcome <> 'ok' then
        return;
    end if;
    if v_stored.changed then
        perform profile_announce(array[v_stored.user_no]);
    end if;

    created := v_stored.created;
    select
        e.id, e.nick, e.avatar_url, e.gender, e.birthday, e.language, e.location, e.signature,
        e.level, e.custom, e.friend_policy, e.muted_until, e.created_at, e.updated_at
    into
        id, nick, avatar_url, gender, birthday, language, location, signature,
        level, custom, friend_policy, muted_until, created_at, updated_at
    from user_entry as e
    where e.user_no = v_stored.user_no;
end
$$;
