-- duet.unread_get: how many messages p_user has not read, in all and per peer, most first.
--
-- One row per peer with unread messages, of at most 10000 contacts; each also has the total. A user who has read
-- everything is one row whose peer is null. Messages of users who were deleted are not counted: nobody could
-- mark them as read.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, contact_pkey, app_user_pkey, mailbox_peer; those of
--          conversation_tail
create or replace function duet.unread_get(
    p_user text,
    p_now timestamptz default now()
)
returns table (outcome text, peer text, unread bigint, total bigint)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_horizon constant timestamptz := message_horizon(p_now);
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return next;
        return;
    end if;

    return query
    with tail as materialized (
        select * from conversation_tail(v_owner, v_horizon, p_now)
    ),
    part as (
        select t.peer, t.unread from tail as t
        union all
        select c.peer, n.unread
        from (
            select c.peer, c.read_seq, c.read_at, c.created_at
            from contact as c
            where c.owner = v_owner
            order by c.peer
            limit 10000
        ) as c
        cross join lateral conversation_unread(
            v_owner, c.peer, c.read_seq,
            greatest(v_horizon, coalesce(c.read_at, c.created_at) - interval '1 day'), -- as in conversation_page
            p_now, (select max(t.from_seq) from tail as t)
        ) as n
    )
    select 'ok', u.user_id, least(w.unread, 1000), sum(least(w.unread, 1000)) over ()::bigint
    from (
        select p.peer, sum(p.unread)::bigint as unread from part as p group by p.peer having sum(p.unread) > 0
    ) as w
    join app_user as u on u.user_no = w.peer
    order by w.unread desc, u.user_id;

    if not found then
        outcome := 'ok';
        total := 0;
        return next;
    end if;
end
$$;
