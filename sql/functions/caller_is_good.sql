-- duet.caller_is_good: whether a user token issued at p_issued_at still counts. Called by the server in the
-- statement of each call.
--
-- It does not when the user's tokens were made void since: by kicking, or because the user was deleted and
-- another one made with the same id. Tokens tell whole seconds, so one of the same second counts. p_user null
-- is a back-end token, which always counts; of a user who is no more, the call itself tells.
--
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key
create or replace function duet.caller_is_good(p_user text, p_issued_at timestamptz)
returns boolean
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
begin
    return p_user is null or not exists (
        select from app_user as u
        where u.user_id = p_user and date_trunc('second', u.tokens_valid_from) > p_issued_at
    );
end
$$;
