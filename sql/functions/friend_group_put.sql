-- duet.friend_group_put: a friend group of p_user by this name, made where there is none.
--
-- The user's devices learn of a new one by an entry friend_changed whose peer is the user itself.
--
-- outcome  ok | user_unknown | groups_full
-- retry    safe: a group that exists stays
-- locks    the mailbox; the limit is counted under it
-- indexes  app_user_user_id_key, mailbox_head_pkey, friend_group_pkey; those of friend_group_list
create or replace function duet.friend_group_put(
    p_user text,
    p_group text,
    p_now timestamptz default null,
    out outcome text,
    out created boolean,
    out name text,
    out friends bigint,
    out created_at timestamptz
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    c_most_groups constant integer := 32;
    v_owner bigint;
    v_now timestamptz;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if mailbox_lock(array[v_owner]) = 0 then
        outcome := 'user_unknown';
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());

    created := not exists (select from friend_group as g where g.owner = v_owner and g.name = p_group);
    if created then
        if (select count(*) from friend_group as g where g.owner = v_owner) >= c_most_groups then
            outcome := 'groups_full';
            return;
        end if;
        insert into friend_group (owner, name, created_at) values (v_owner, p_group, v_now);
        perform entry_add(
            array[v_owner], array[v_owner], 22, v_now, jsonb_build_object('group_added', p_group)::text);
    end if;

    select l.outcome, l.name, l.friends, l.created_at into outcome, name, friends, created_at
    from friend_group_list(p_user) as l
    where l.name = p_group;
end
$$;
