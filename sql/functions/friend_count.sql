-- duet.friend_count: how many friends a user has, as far as p_limit matters: where there seem to be as many,
-- those who were deleted are left out of the count.
--
-- retry    safe: reads only; call it under the lock of the owner's mailbox
-- locks    none
-- indexes  contact_friends, app_user_pkey
create or replace function duet.friend_count(p_owner bigint, p_limit integer)
returns bigint
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    v_n bigint;
begin
    select count(*) into v_n from contact as c where c.owner = p_owner and c.friend;
    if v_n >= p_limit then
        select count(*) into v_n
        from contact as c
        where c.owner = p_owner and c.friend
          and exists (select from app_user as u where u.user_no = c.peer);
    end if;
    return v_n;
end
$$;
