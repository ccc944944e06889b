-- duet.friend_group_delete: p_user has no friend group of this name any more, and no friend is in it. The
-- friends stay friends.
--
-- The user's devices learn of it by one entry friend_changed whose peer is the user itself.
--
-- outcome  ok (also where there was none) | user_unknown
-- retry    safe
-- locks    the mailbox
-- indexes  app_user_user_id_key, mailbox_head_pkey, friend_group_pkey, contact_friends; friends are limited
--          in number
create or replace function duet.friend_group_delete(
    p_user text,
    p_group text,
    p_now timestamptz default null,
    out outcome text
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
    outcome := 'ok';

    delete from friend_group as g where g.owner = v_owner and g.name = p_group;
    if found then
        update contact as c
        set groups = array_remove(c.groups, p_group)
        where c.owner = v_owner and c.friend and p_group = any (c.groups);
        perform entry_add(
            array[v_owner], array[v_owner], 22, coalesce(p_now, clock_timestamp()),
            jsonb_build_object('group_removed', p_group)::text);
    end if;
end
$$;
