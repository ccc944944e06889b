-- duet.hold_get: why and since when a user is under a legal hold.
--
-- outcome  ok | user_unknown | hold_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, hold_pkey
create or replace function duet.hold_get(
    p_user text,
    out outcome text,
    out "user" text,
    out reason text,
    out created_at timestamptz,
    out updated_at timestamptz
)
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return;
    end if;
    select 'ok', p_user, h.reason, h.created_at, h.updated_at
    into outcome, "user", reason, created_at, updated_at
    from hold as h
    where h.owner = v_owner;
    if not found then
        outcome := 'hold_unknown';
    end if;
end
$$;
