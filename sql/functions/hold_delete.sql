-- duet.hold_delete: release a user from a legal hold. What was kept aside goes with the next run of held_purge;
-- until then a new hold keeps it.
--
-- outcome  ok | user_unknown
-- retry    safe: a hold that is not there is gone already
-- locks    the hold's row
-- indexes  app_user_user_id_key, hold_pkey
create or replace function duet.hold_delete(p_user text, out outcome text)
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
    delete from hold as h where h.owner = v_owner;
    outcome := 'ok';
end
$$;
