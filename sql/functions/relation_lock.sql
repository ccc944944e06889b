-- duet.relation_lock: the numbers of two users, their mailboxes locked. What has been decided between the two
-- is changed by nobody else until the end of the transaction.
--
-- outcome  ok | user_unknown (pointer: which of them)
-- retry    safe
-- locks    both heads, in ascending order
-- indexes  app_user_user_id_key, mailbox_head_pkey
create or replace function duet.relation_lock(
    p_user text,
    p_peer text,
    out outcome text,
    out pointer text,
    out owner_no bigint,
    out peer_no bigint
)
language plpgsql
set search_path = duet, pg_temp
as $$
begin
    outcome := 'user_unknown';
    select u.user_no into owner_no from app_user as u where u.user_id = p_user;
    if not found then
        pointer := '/user';
        return;
    end if;
    select u.user_no into peer_no from app_user as u where u.user_id = p_peer;
    if not found then
        pointer := '/peer';
        return;
    end if;
    -- Who has gone in the meantime has no mailbox any more.
    if mailbox_lock(array[owner_no, peer_no]) = 2 then
        outcome := 'ok';
    end if;
end
$$;
