-- duet.conversation_marked_list: a page of the conversations of p_user that are in a group or have a mark, whether or
-- not there is anything in them; in the order in which their peers came to be here. Each row has the cursor of what
-- comes after it. A refusal, or an empty page, is one row whose peer is null.
--
-- outcome  ok | user_unknown | cursor_invalid
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, app_user_pkey, contact_marked, those of conversation_page
create or replace function duet.conversation_marked_list(
    p_user text,
    p_cursor text,
    p_limit bigint,
    p_now timestamptz default now()
)
returns setof duet.conversation_reply
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
as $$
declare
    v conversation_reply;
    v_owner bigint;
    v_beyond bigint;
    v_peer bigint[];
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        v.outcome := 'user_unknown';
        return next v;
        return;
    end if;
    if p_cursor !~ '^[0-9]{1,18}$' then
        v.outcome := 'cursor_invalid';
        return next v;
        return;
    end if;
    v_beyond := coalesce(p_cursor, '0')::bigint;

    v_peer := array(
        select c.peer
        from contact as c
        join app_user as u on u.user_no = c.peer
        where c.owner = v_owner and c.peer > v_beyond
          and (c.conversation_groups <> '{}' or c.marks <> '' or c.custom_mark <> '')
        order by c.peer
        limit p_limit
    );

    return query
    select c.* from conversation_page(v_owner, v_peer, p_now) as c order by c.cursor::bigint;

    if not found then
        v.outcome := 'ok';
        return next v;
    end if;
end
$$;
