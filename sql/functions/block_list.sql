-- duet.block_list: a page of the users whom p_user has blocked, the oldest block first. Each row has the
-- cursor of what comes after it. A refusal, or an empty page, is one row whose peer is null.
--
-- outcome  ok | user_unknown | cursor_invalid
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, contact_blocks, app_user_pkey
create or replace function duet.block_list(p_user text, p_cursor text, p_limit bigint)
returns table (
    outcome text,
    peer text,
    peer_profile_nick text,
    peer_profile_avatar_url text,
    blocked_at timestamptz,
    cursor text
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_beyond_at timestamptz := timestamptz '-infinity';
    v_beyond_peer bigint := bigint '0';
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return next;
        return;
    end if;
    if p_cursor is not null then
        select p.at, p.id into v_beyond_at, v_beyond_peer from cursor_place(p_cursor) as p;
        if v_beyond_at is null then
            outcome := 'cursor_invalid';
            return next;
            return;
        end if;
    end if;

    return query
    select
        'ok', u.user_id, u.nick, u.avatar_url, c.blocked_at,
        cursor_text(c.blocked_at, c.peer)
    from contact as c
    join app_user as u on u.user_no = c.peer
    where c.owner = v_owner and c.blocked and (c.blocked_at, c.peer) > (v_beyond_at, v_beyond_peer)
    order by c.blocked_at, c.peer
    limit p_limit;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
