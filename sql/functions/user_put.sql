-- duet.user_put: make a user, or replace the profile of one who exists. What is null becomes the default.
--
-- Where the nick or the avatar of one who exists changes, the devices of that user and of mutual friends learn
-- of it.
--
-- outcome  ok | invalid_request (the birthday is no day)
-- retry    safe: the same profile again changes nothing but updated_at
-- locks    the user's row; two who make one user at the same time wait for each other on the unique
--          user_id, and the second one replaces. Then those of profile_announce
-- indexes  app_user_user_id_key, app_user_pkey, those of profile_announce
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
    v_birthday constant date := day_of(p_birthday);
    v_before record;
    v_after record;
begin
    if p_birthday is not null and v_birthday is null then
        outcome := 'invalid_request';
        return;
    end if;

    select u.nick, u.avatar_url into v_before from app_user as u where u.user_id = p_user for update;

    insert into app_user as u (
        user_id, nick, avatar_url, gender, birthday, language, location, signature, level, custom,
        friend_policy, created_at, updated_at
    )
    values (
        p_user, coalesce(p_nick, ''), coalesce(p_avatar_url, ''), coalesce(p_gender, 'unknown'),
        v_birthday, coalesce(p_language, ''), coalesce(p_location, ''), coalesce(p_signature, ''),
        coalesce(p_level, 0), coalesce(p_custom, '{}'), coalesce(p_friend_policy, 'anyone'),
        clock_timestamp(), clock_timestamp()
    )
    on conflict (user_id) do update
    set nick = excluded.nick,
        avatar_url = excluded.avatar_url,
        gender = excluded.gender,
        birthday = excluded.birthday,
        language = excluded.language,
        location = excluded.location,
        signature = excluded.signature,
        level = excluded.level,
        custom = excluded.custom,
        friend_policy = excluded.friend_policy,
        updated_at = excluded.updated_at
    -- A row that was updated carries the updating transaction's mark.
    returning u.xmax = 0 as created, u.user_no, u.nick, u.avatar_url into v_after;

    if v_after.created then
        insert into mailbox_head (owner) values (v_after.user_no);
    elsif (v_before.nick, v_before.avatar_url) is distinct from (v_after.nick, v_after.avatar_url) then
        perform profile_announce(v_after.user_no, v_after.nick, v_after.avatar_url);
    end if;

    outcome := 'ok';
    created := v_after.created;
    select
        e.id, e.nick, e.avatar_url, e.gender, e.birthday, e.language, e.location, e.signature,
        e.level, e.custom, e.friend_policy, e.muted_until, e.created_at, e.updated_at
    into
        id, nick, avatar_url, gender, birthday, language, location, signature,
        level, custom, friend_policy, muted_until, created_at, updated_at
    from user_entry as e
    where e.user_no = v_after.user_no;
end
$$;
