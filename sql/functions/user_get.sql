-- duet.user_get: the profile of a user.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key
create or replace function duet.user_get(
    p_user text
)
returns duet.user_reply
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
declare
    v user_reply;
begin
    select
        'ok', null, null::boolean, e.id, e.nick, e.avatar_url, e.gender, e.birthday, e.language, e.location, e.signature,
        e.level, e.custom, e.friend_policy, e.muted_until, e.created_at, e.updated_at
    into v
    from user_entry as e
    where e.id = p_user;

    if not found then
        v.outcome := 'user_unknown';
    end if;
    return v;
end
$$;
