-- duet.conversation_group_rename: another name for a group of p_user; its conversations stay in it.
--
-- outcome  ok | user_unknown | group_unknown | name_taken (another group has it)
-- retry    not safe: the old name is unknown then
-- locks    the mailbox
-- indexes  app_user_user_id_key, mailbox_head_pkey, conversation_group_pkey, contact_pkey
create or replace function duet.conversation_group_rename(
    p_user text,
    p_group text,
    p_name text,
    out outcome text,
    out name text,
    out number bigint,
    out created_at timestamptz
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if mailbox_lock(array[v_owner]) = 0 then
        outcome := 'user_unknown';
        return;
    end if;
    if p_name <> p_group
       and exists (select from conversation_group as g where g.owner = v_owner and g.name = p_name) then
        outcome := 'name_taken';
        return;
    end if;

    outcome := 'ok';
    update conversation_group as g
    set name = p_name
    where g.owner = v_owner and g.name = p_group
    returning g.name, g.number, g.created_at into name, number, created_at;
    if not found then
        outcome := 'group_unknown';
        return;
    end if;
    update contact as c
    set conversation_groups = array_replace(c.conversation_groups, p_group, p_name)
    where c.owner = v_owner and p_group = any (c.conversation_groups);
end
$$;
