-- duet.unread_get: how many messages p_user has not read, in all and per peer, most first.
--
-- One row per peer with unread messages, of at most 10000 contacts; each also has the total. A user who has read
-- everything is one row whose peer is null. Messages of users who were deleted are not counted: nobody could
-- mark them as read.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, contact_pkey, app_user_pkey, mailbox_peer
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
    select 'ok', u.user_id, n.unread, sum(n.unread) over ()::bigint
    from (
        select c.peer, c.read_seq from contact as c where c.owner = v_owner order by c.peer limit 10000
    ) as c
    join app_user as u on u.user_no = c.peer
    cross join lateral conversation_unread(v_owner, c.peer, c.read_seq, v_horizon, p_now) as n
    where n.unread > 0
    order by n.unread desc, u.user_id;

    if not found then
        outcome := 'ok';
        total := 0;
        return next;
    end if;
end
$$;
