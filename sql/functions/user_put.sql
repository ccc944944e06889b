-- duet.user_put: make a user, or replace the profile of one who exists. What is null becomes the default.
--
-- outcome  ok | invalid_request (the birthday is no day)
-- retry    safe: the same profile again changes nothing but updated_at
-- locks    the user's row; two who make one user at the same time wait for each other on the unique
--          user_id, and the second one replaces
-- indexes  app_user_user_id_key
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
    out created_at timestamptz,
    out updated_at timestamptz
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_birthday date;
    v_user_no bigint;
begin
    begin
        v_birthday := p_birthday::date;
    exception
        when datetime_field_overflow or invalid_datetime_format then
            outcome := 'invalid_request';
            return;
    end;

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
    returning u.xmax = 0, u.user_no into created, v_user_no;

    if created then
        insert into mailbox_head (owner) values (v_user_no);
    end if;

    select
        g.outcome, g.id, g.nick, g.avatar_url, g.gender, g.birthday, g.language, g.location,
        g.signature, g.level, g.custom, g.friend_policy, g.created_at, g.updated_at
    into
        outcome, id, nick, avatar_url, gender, birthday, language, location,
        signature, level, custom, friend_policy, created_at, updated_at
    from user_get(p_user) as g;
end
$$;
