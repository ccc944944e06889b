-- duet.user_patch: change some of a user's profile: what p_patch does not name stays, what is null there becomes
-- the default. `custom` is a patch of its own: a name that is null is taken out (RFC 7396).
--
-- p_as_user: the user whose own token asks; it may change the own profile but not the level, nor whether it may ask
-- to be friends (friend_consent). Where the nick or the avatar changes, the devices of the user and of mutual friends learn of it.
--
-- outcome  ok | user_unknown | forbidden | invalid_request (the birthday is no day, or custom would have more
--          than 64 names); pointer names the member
-- retry    safe: the same patch again changes nothing but updated_at
-- locks    the user's row, then those of profile_announce
-- indexes  app_user_user_id_key, app_user_pkey, those of profile_announce
create or replace function duet.user_patch(
    p_user text,
    p_patch jsonb,
    p_as_user text default null
)
returns duet.user_reply
language plpgsql security definer set search_path = duet, pg_temp
as $$
declare
    v user_reply;
    v_before app_user;
    v_after app_user;
begin
    if p_as_user <> p_user then
        v.outcome := 'forbidden';
        return v;
    end if;
    if p_as_user is not null and p_patch ? 'level' then
        v.outcome := 'forbidden';
        v.pointer := '/level';
        return v;
    end if;

    select u.* into v_before from app_user as u where u.user_id = p_user for update;
    if not found then
        v.outcome := 'user_unknown';
        return v;
    end if;

    v_after := v_before;
    v_after.birthday := day_of(p_patch ->> 'birthday');
    if p_patch ->> 'birthday' is not null and v_after.birthday is null then
        v.outcome := 'invalid_request';
        v.pointer := '/birthday';
        return v;
    end if;
    v_after.custom := jsonb_strip_nulls(
        case when p_patch ->> 'custom' is null then '{}' else v_before.custom || (p_patch -> 'custom') end
    );
    if p_as_user is not null
       and v_after.custom -> 'im_admin_forbid_type' is distinct from v_before.custom -> 'im_admin_forbid_type' then
        v.outcome := 'forbidden';
        v.pointer := '/custom/im_admin_forbid_type';
        return v;
    end if;
    if (select count(*) from jsonb_object_keys(v_after.custom)) > 64 then
        v.outcome := 'invalid_request';
        v.pointer := '/custom';
        return v;
    end if;

    update app_user as u
    set nick = case when p_patch ? 'nick' then coalesce(p_patch ->> 'nick', '') else u.nick end,
        avatar_url = case when p_patch ? 'avatar_url' then coalesce(p_patch ->> 'avatar_url', '')
            else u.avatar_url end,
        gender = case when p_patch ? 'gender' then coalesce(p_patch ->> 'gender', 'unknown')
            else u.gender end,
        birthday = case when p_patch ? 'birthday' then v_after.birthday else u.birthday end,
        language = case when p_patch ? 'language' then coalesce(p_patch ->> 'language', '')
            else u.language end,
        location = case when p_patch ? 'location' then coalesce(p_patch ->> 'location', '')
            else u.location end,
        signature = case when p_patch ? 'signature' then coalesce(p_patch ->> 'signature', '')
            else u.signature end,
        level = case when p_patch ? 'level' then coalesce((p_patch ->> 'level')::bigint, 0)
            else u.level end,
        custom = case when p_patch ? 'custom' then v_after.custom else u.custom end,
        friend_policy = case when p_patch ? 'friend_policy' then coalesce(p_patch ->> 'friend_policy', 'anyone')
            else u.friend_policy end,
        updated_at = clock_timestamp()
    where u.user_no = v_before.user_no
    returning u.* into v_after;

    if (v_before.nick, v_before.avatar_url) is distinct from (v_after.nick, v_after.avatar_url) then
        perform profile_announce(v_after.user_no);
    end if;

    return user_get(p_user);
end
$$;
