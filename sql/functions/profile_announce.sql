-- duet.profile_announce: let the devices of a user, and of mutual friends, learn of a new nick or avatar. At most
-- friends_per_user friends are told.
--
-- Who becomes a friend at the same moment may not be told; that device reads the profile with the friend.
--
-- retry    not safe: call it once in a transaction
-- locks    the heads of all these mailboxes, in ascending order; the user's row is the caller's to lock before, where
--          it is the caller who has changed it
-- indexes  app_user_pkey, contact_friends, contact_pkey, mailbox_head_pkey
create or replace function duet.profile_announce(p_user_no bigint)
returns void
language plpgsql
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_owner constant bigint[] := p_user_no || array(
        select ours.peer
        from contact as ours
        join contact as theirs
            on theirs.owner = ours.peer and theirs.peer = ours.owner and theirs.friend
        where ours.owner = p_user_no and ours.friend
        order by ours.friend_since, ours.peer
        limit (select s.friends_per_user from setting as s)
    );
begin
    perform mailbox_lock(v_owner);
    perform entry_add(
        v_owner,
        array_fill(p_user_no, array[cardinality(v_owner)]),
        28,
        clock_timestamp(),
        json_build_object('nick', u.nick, 'avatar_url', u.avatar_url)::text
    )
    from app_user as u
    where u.user_no = p_user_no;
end
$$;
