-- duet.user_store: make a user, or replace the profile of one who exists, and tell nobody. For user_put and
-- user_import, which see to it that devices learn where what others see of a user has changed.
--
-- outcome  ok | invalid_request (the birthday is no day)
-- retry    safe: the same profile again changes nothing but updated_at
-- locks    the user's row; two who make one user at the same time wait for each other on the unique
--          user_id, and the second one replaces
-- indexes  app_user_user_id_key, erasure_user_id
create or replace function duet.user_store(
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
    out changed boolean,
    out user_no bigint
)
language plpgsql
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_birthday constant date := day_of(p_birthday);
    v_before record;
begin
    if p_birthday is not null and v_birthday is null then
        outcome := 'invalid_request';
        return;
    end if;

    select u.nick, u.avatar_url into v_before from app_user as u where u.user_id = p_user for update;

    insert into app_user as u (
        user_id, nick, avatar_url, gender, birthday, language, location, signature, level, custom,
        friend_policy, tokens_valid_from, created_at, updated_at
    )
    values (
        p_user, coalesce(p_nick, ''), coalesce(p_avatar_url, ''), coalesce(p_gender, 'unknown'),
        v_birthday, coalesce(p_language, ''), coalesce(p_location, ''), coalesce(p_signature, ''),
        coalesce(p_level, 0), coalesce(p_custom, '{}'), coalesce(p_friend_policy, 'anyone'),
        -- Tokens tell seconds. Those of one who had the id before are none of this user.
        (select date_trunc('second', clock_timestamp()) from erasure as e where e.user_id = p_user limit 1),
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
    returning u.xmax = 0, u.user_no, (u.nick, u.avatar_url) is distinct from (v_before.nick, v_before.avatar_url)
    into created, user_no, changed;

    if created then
        insert into mailbox_head (owner) values (user_no);
        changed := false;
    end if;
    outcome := 'ok';
end
$$;
