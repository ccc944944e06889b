-- duet.block_get: whether and since when p_user has blocked p_peer.
--
-- outcome  ok | user_unknown | block_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, contact_pkey
create or replace function duet.block_get(
    p_user text,
    p_peer text,
    out outcome text,
    out pointer text,
    out peer text,
    out peer_profile_nick text,
    out peer_profile_avatar_url text,
    out blocked_at timestamptz
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
    select u.user_no, u.user_id, u.nick, u.avatar_url
    into v_peer, peer, peer_profile_nick, peer_profile_avatar_url
    from app_user as u
    where u.user_id = p_peer;
    if not found then
        pointer := '/peer';
        return;
    end if;

    select 'ok', c.blocked_at into outcome, blocked_at
    from contact as c
    where c.owner = v_owner and c.peer = v_peer and c.blocked;
    if not found then
        outcome := 'block_unknown';
    end if;
end
$$;
