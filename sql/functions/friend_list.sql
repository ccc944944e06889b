-- duet.friend_list: a page of the friends of p_user, those of longest standing first; of one group, or (null)
-- all. Each row has the cursor of what comes after it. A refusal, or an empty page, is one row whose peer
-- is null.
--
-- outcome  ok | user_unknown | group_unknown | cursor_invalid
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, friend_group_pkey, contact_friends, app_user_pkey, contact_pkey. Of one
--          group too all friends are looked at, whose number is limited
create or replace function duet.friend_list(
    p_user text,
    p_group text,
    p_cursor text,
    p_limit bigint
)
returns table (
    outcome text,
    pointer text,
    peer text,
    peer_profile_nick text,
    peer_profile_avatar_url text,
    remark text,
    groups text[],
    custom jsonb,
    friend_since timestamptz,
    mutual boolean,
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
    if p_group is not null
       and not exists (select from friend_group as g where g.owner = v_owner and g.name = p_group) then
        outcome := 'group_unknown';
        pointer := '/group';
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
        'ok', null::text, f.peer, f.peer_profile_nick, f.peer_profile_avatar_url, f.remark, f.groups,
        f.custom, f.friend_since, f.mutual,
        cursor_text(f.friend_since, f.peer_no)
    from friend as f
    where f.owner = v_owner and (f.friend_since, f.peer_no) > (v_beyond_at, v_beyond_peer)
      and (p_group is null or p_group = any (f.groups))
    order by f.friend_since, f.peer_no
    limit p_limit;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
