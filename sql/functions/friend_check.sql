-- duet.friend_check: what p_user and each of p_peers are to each other, in the order of p_peers.
--
-- outcome  ok | user_unknown. relation: none | outgoing (p_user has the peer as a friend) | incoming (the
--          other way round) | mutual | unknown (there is no such user)
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, contact_pkey (both directions)
create or replace function duet.friend_check(p_user text, p_peers text[])
returns table (outcome text, peer text, relation text)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_owner bigint;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return next;
        return;
    end if;

    return query
    select
        'ok', p.peer,
        case
            when u.user_no is null then 'unknown'
            when ours.friend and theirs.friend then 'mutual'
            when ours.friend then 'outgoing'
            when theirs.friend then 'incoming'
            else 'none'
        end
    from unnest(p_peers) with ordinality as p(peer, n)
    left join app_user as u on u.user_id = p.peer
    left join contact as ours on ours.owner = v_owner and ours.peer = u.user_no
    left join contact as theirs on theirs.owner = u.user_no and theirs.peer = v_owner
    order by p.n;
end
$$;
