-- duet.friend_get: a friend of a user.
--
-- outcome  ok | user_unknown | friend_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, contact_pkey, app_user_pkey
create or replace function duet.friend_get(
    p_user text,
    p_peer text,
    out outcome text,
    out pointer text,
    out peer text,
    out peer_profile_nick text,
    out peer_profile_avatar_url text,
    out remark text,
    out groups text[],
    out custom jsonb,
    out friend_since timestamptz,
    out mutual boolean
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_peer bigint;
begin
    outcome := 'user_unknown';
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        pointer := '/user';
        return;
    end if;
    select u.user_no into v_peer from app_user as u where u.user_id = p_peer;
    if not found then
        pointer := '/peer';
        return;
    end if;

    select
        'ok', f.peer, f.peer_profile_nick, f.peer_profile_avatar_url, f.remark, f.groups, f.custom,
        f.friend_since, f.mutual
    into
        outcome, peer, peer_profile_nick, peer_profile_avatar_url, remark, groups, custom,
        friend_since, mutual
    from friend as f
    where f.owner = v_owner and f.peer_no = v_peer;
    if not found then
        outcome := 'friend_unknown';
    end if;
end
$$;
