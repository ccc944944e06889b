-- duet.user_tag_put: give a user a tag that notifications can aim at.
--
-- outcome  ok | user_unknown | tags_full (the user has 100)
-- retry    safe: a tag that is there stays as it is
-- locks    the user's row, under which tags are counted
-- indexes  app_user_user_id_key, user_tag_pkey
create or replace function duet.user_tag_put(
    p_user text,
    p_tag text,
    p_now timestamptz default now(),
    out outcome text
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
declare
    v_owner bigint;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user for no key update;
    if not found then
        outcome := 'user_unknown';
        return;
    end if;

    outcome := 'ok';
    if exists (select from user_tag as t where t.owner = v_owner and t.tag = p_tag) then
        return;
    end if;
    if (select count(*) from user_tag as t where t.owner = v_owner) >= 100 then
        outcome := 'tags_full';
        return;
    end if;
    insert into user_tag (owner, tag, created_at) values (v_owner, p_tag, p_now);
end
$$;
