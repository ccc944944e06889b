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
    p_friend_policy text
)
returns duet.user_reply
language plpgsql security definer set search_path = duet, pg_temp
as $$
declare
    v_stored record;
    v user_reply;
begin
    select s.* into v_stored
    from user_store(
        p_user, p_nick, p_avatar_url, p_gender, p_birthday, p_language, p_location, p_signature,
        p_level, p_custom, p_friend_policy
    ) as s;
    if v_stored.outcome <> 'ok' then
        v.outcome := v_stored.outcome;
        return v;
    end if;
    if v_stored.changed then
        perform profile_announce(v_stored.user_no);
    end if;

    v := user_get(p_user);
    v.created := v_stored.created;
    return v;
end
$$;
