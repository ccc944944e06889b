-- duet.friend_import: make several users friends of p_user, each as friend_put would for a back-end service:
-- both ways unless the item is one_way. What an item does not say has its default.
--
-- friend_since lies in the past: what is before 1970, or to come, is moved there or to now. One row per
-- item, in their order; an item that is refused leaves the others untouched.
--
-- outcome  ok | user_unknown. problem, of each item: null | user_unknown | invalid_request (the user itself) |
--          friends_full | group_unknown. status: 201 (the friend is new on p_user's side) or 200; where
--          there is a problem, what the code has
-- retry    safe: friendships that exist stay
-- locks    the mailboxes of all the users, in ascending order
-- indexes  app_user_user_id_key, mailbox_head_pkey; those of friend_link
create or replace function duet.friend_import(
    p_user text,
    p_friends json,
    p_now timestamptz default null
)
returns table (outcome text, peer text, status bigint, problem text)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_peers bigint[];
    v_now timestamptz;
    v_item record;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    v_peers := array(
        select u.user_no
        from json_to_recordset(p_friends) as f(peer text)
        join app_user as u on u.user_id = f.peer
    );
    perform mailbox_lock(v_owner || v_peers);
    if not exists (select from mailbox_head as h where h.owner = v_owner) then
        outcome := 'user_unknown';
        return next;
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());

    outcome := 'ok';
    for v_item in
        select
            f.peer, u.user_no, h.owner is not null as here, coalesce(f.one_way, false) as one_way,
            coalesce(f.remark, '') as remark, f.groups, coalesce(f.custom, '{}') as custom,
            greatest(least(f.friend_since, v_now), 'epoch') as friend_since
        from json_array_elements(p_friends) with ordinality as i(item, n),
             json_to_record(i.item) as f(
                 peer text, remark text, groups text[], custom jsonb, friend_since timestamptz, one_way boolean
             )
        left join app_user as u on u.user_id = f.peer
        -- Only who was there to be locked.
        left join mailbox_head as h on h.owner = u.user_no and u.user_no = any (v_peers)
        order by i.n
    loop
        peer := v_item.peer;
        problem := null;
        status := 0;
        if not v_item.here then
            problem := 'user_unknown';
        elsif v_item.user_no = v_owner then
            problem := 'invalid_request';
        else
            select nullif(l.outcome, 'ok'), case when l.created then bigint '201' else bigint '200' end
            into problem, status
            from friend_link(
                v_owner, v_item.user_no, not v_item.one_way, v_item.remark, coalesce(v_item.groups, '{}'),
                v_item.custom, null, v_item.friend_since, v_now
            ) as l;
        end if;
        return next;
    end loop;
end
$$;
