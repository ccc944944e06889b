-- duet.conversation_group_delete: p_user has no group for conversations of this name any more, and none is in it. The
-- conversations stay.
--
-- outcome  ok (also where there was none) | user_unknown
-- retry    safe
-- locks    the mailbox
-- indexes  app_user_user_id_key, mailbox_head_pkey, conversation_group_pkey, contact_pkey
create or replace function duet.conversation_group_delete(p_user text, p_group text, out outcome text)
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
    outcome := 'ok';

    delete from conversation_group as g where g.owner = v_owner and g.name = p_group;
    if found then
        update contact as c
        set conversation_groups = array_remove(c.conversation_groups, p_group)
        where c.owner = v_owner and p_group = any (c.conversation_groups);
    end if;
end
$$;
