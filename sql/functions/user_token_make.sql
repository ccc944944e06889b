-- duet.user_token_make: may a token be made for this user? The server signs it; nothing is stored.
--
-- outcome  ok | user_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key
create or replace function duet.user_token_make(p_user text, out outcome text)
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
begin
    outcome := case
        when exists (select from app_user as u where u.user_id = p_user) then 'ok'
        else 'user_unknown'
    end;
end
$$;
