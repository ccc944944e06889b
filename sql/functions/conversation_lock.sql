-- duet.conversation_lock: the numbers of two users, the mailbox of p_user locked: what p_user has with p_peer is changed
-- by nobody else until the end of the transaction.
--
-- outcome  ok | user_unknown (pointer: which of them)
-- retry    safe
-- locks    the head of p_user
-- indexes  those of user_pair, mailbox_head_pkey
create or replace function duet.conversation_lock(
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
    select p.* into outcome, pointer, owner_no, peer_no from user_pair(p_user, p_peer) as p;
    -- Who has gone in the meantime has no mailbox any more.
    if outcome = 'ok' and mailbox_lock(array[owner_no]) = 0 then
        outcome := 'user_unknown';
        pointer := '/user';
    end if;
end
$$;
