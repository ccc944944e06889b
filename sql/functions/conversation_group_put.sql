-- duet.conversation_group_put: a group for conversations of p_user by this name, made where there is none. Its number
-- is the lowest that is free.
--
-- outcome  ok | user_unknown | groups_full
-- retry    safe: a group that exists stays
-- locks    the mailbox; the limit is counted under it
-- indexes  app_user_user_id_key, mailbox_head_pkey, conversation_group_pkey
create or replace function duet.conversation_group_put(
    p_user text,
    p_group text,
    p_now timestamptz default null,
    out outcome text,
    out created boolean,
    out name text,
    out number bigint,
    out created_at timestamptz
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    c_most_groups constant integer := 20;
    v_owner bigint;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if mailbox_lock(array[v_owner]) = 0 then
        outcome := 'user_unknown';
        return;
    end if;

    created := not exists (select from conversation_group as g where g.owner = v_owner and g.name = p_group);
    if created then
        if (select count(*) from conversation_group as g where g.owner = v_owner) >= c_most_groups then
            outcome := 'groups_full';
            return;
        end if;
        insert into conversation_group (owner, name, number, created_at)
        select v_owner, p_group, min(n), coalesce(p_now, clock_timestamp())
        from generate_series(1, c_most_groups) as n
        where not exists (select from conversation_group as g where g.owner = v_owner and g.number = n);
    end if;

    select l.outcome, l.name, l.number, l.created_at into outcome, name, number, created_at
    from conversation_group_list(p_user) as l
    where l.name = p_group;
end
$$;
