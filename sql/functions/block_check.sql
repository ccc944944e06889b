-- duet.block_check: of each of p_peers, in their order, whether p_user has blocked the peer and whether the
-- peer has blocked p_user. A user who is not there has no blocks.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, contact_pkey (both directions)
create or replace function duet.block_check(p_user text, p_peers text[])
returns table (outcome text, peer text, blocked boolean, blocked_by boolean)
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
    select 'ok', p.peer, coalesce(ours.blocked, false), coalesce(theirs.blocked, false)
    from unnest(p_peers) with ordinality as p(peer, n)
    left join app_user as u on u.user_id = p.peer
    left join contact as ours on ours.owner = v_owner and ours.peer = u.user_no
    left join contact as theirs on theirs.owner = u.user_no and theirs.peer = v_owner
    order by p.n;
end
$$;
