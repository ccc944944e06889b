-- duet.user_pair: the numbers of two users.
--
-- outcome  ok | user_unknown (pointer: which of them, p_user first)
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key
create or replace function duet.user_pair(
    p_user text,
    p_peer text,
    out outcome text,
    out pointer text,
    out owner_no bigint,
    out peer_no bigint
)
language plpgsql stable
set search_path = duet, pg_temp
as $$
begin
    select u.user_no into owner_no from app_user as u where u.user_id = p_user;
    select u.user_no into peer_no from app_user as u where u.user_id = p_peer;
    pointer := case when owner_no is null then '/user' when peer_no is null then '/peer' end;
    outcome := case when pointer is null then 'ok' else 'user_unknown' end;
end
$$;
