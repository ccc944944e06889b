-- duet.user_tag_delete: take a tag from a user.
--
-- outcome  ok | user_unknown
-- retry    safe: a tag that is not there is gone already
-- locks    the tag's row
-- indexes  app_user_user_id_key, user_tag_pkey
create or replace function duet.user_tag_delete(p_user text, p_tag text, out outcome text)
language plpgsql security definer set search_path = duet, pg_temp
as $$
declare
    v_owner bigint;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return;
    end if;

    delete from user_tag as t where t.owner = v_owner and t.tag = p_tag;
    outcome := 'ok';
end
$$;
