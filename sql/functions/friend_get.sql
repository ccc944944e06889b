-- duet.friend_get: a friend of a user.
--
-- outcome  ok | user_unknown | friend_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  those of user_pair; contact_pkey, app_user_pkey
create or replace function duet.friend_get(
    p_user text,
    p_peer text
)
returns duet.friend_reply
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    v friend_reply;
    v_owner bigint;
    v_peer bigint;
begin
    select p.outcome, p.pointer, p.owner_no, p.peer_no into v.outcome, v.pointer, v_owner, v_peer
    from user_pair(p_user, p_peer) as p;
    if v.outcome <> 'ok' then
        return v;
    end if;

    select
        'ok', null, null::boolean, f.peer, f.peer_profile_nick, f.peer_profile_avatar_url, f.remark, f.groups, f.custom,
        f.friend_since, f.mutual
    into v
    from friend as f
    where f.owner = v_owner and f.peer_no = v_peer;
    if not found then
        v.outcome := 'friend_unknown';
    end if;
    return v;
end
$$;
