-- duet.block_get: whether and since when p_user has blocked p_peer.
--
-- outcome  ok | user_unknown | block_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  those of user_pair; contact_pkey, app_user_pkey
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
    select p.outcome, p.pointer, p.owner_no, p.peer_no into outcome, pointer, v_owner, v_peer
    from user_pair(p_user, p_peer) as p;
    if outcome <> 'ok' then
        return;
    end if;

    select u.user_id, u.nick, u.avatar_url, c.blocked_at
    into peer, peer_profile_nick, peer_profile_avatar_url, blocked_at
    from contact as c
    join app_user as u on u.user_no = c.peer
    where c.owner = v_owner and c.peer = v_peer and c.blocked;
    if not found then
        outcome := 'block_unknown';
    end if;
end
$$;
