-- duet.hold_put: put a user under a legal hold, or change its reason: entries of the mailbox are kept aside
-- before retention removes them, and the user cannot be deleted. What is gone already does not come back.
--
-- outcome  ok | user_unknown
-- retry    safe: the same reason again changes nothing but updated_at
-- locks    hold_lock, shared: waits for a job that takes away entries, some tenths of a second; then the user's row,
--          so that one who is being deleted is not put under a hold; the hold's row
-- indexes  app_user_user_id_key, hold_pkey
create or replace function duet.hold_put(
    p_user text,
    p_reason text,
    p_now timestamptz default now(),
    out outcome text,
    out created boolean,
    out "user" text,
    out reason text,
    out created_at timestamptz,
    out updated_at timestamptz
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
begin
    perform hold_lock(true);
    select u.user_no into v_owner from app_user as u where u.user_id = p_user for no key update;
    if not found then
        outcome := 'user_unknown';
        return;
    end if;
    insert into hold as h (owner, reason, created_at, updated_at)
    values (v_owner, p_reason, p_now, p_now)
    on conflict (owner) do update
    set reason = excluded.reason, updated_at = excluded.updated_at
    returning 'ok', h.xmax = 0, p_user, h.reason, h.created_at, h.updated_at
    into outcome, created, "user", reason, created_at, updated_at;
end
$$;
