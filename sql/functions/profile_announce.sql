-- duet.profile_announce: let the devices of users, and of the mutual friends of each, learn of a new nick or avatar.
-- At most friends_per_user friends of each are told.
--
-- Who becomes a friend at the same moment may not be told; that device reads the profile with the friend.
--
-- retry    not safe: call it once in a transaction
-- locks    the heads of all these mailboxes, in ascending order; the users' rows are the caller's to lock before
-- indexes  app_user_pkey, contact_friends, contact_pkey, mailbox_head_pkey
create or replace function duet.profile_announce(p_user_no bigint[])
returns void
language plpgsql
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    -- One element for each entry: whose mailbox, and whose profile.
    v_owner bigint[];
    v_about bigint[];
    v_user record;
begin
    select array_agg(t.owner), array_agg(t.about)
    into v_owner, v_about
    from unnest(p_user_no) as n(user_no),
    lateral (
        select n.user_no as owner, n.user_no as about
        union all
        (
            select ours.peer, n.user_no
            from contact as ours
            join contact as theirs
                on theirs.owner = ours.peer and theirs.peer = ours.owner and theirs.friend
            where ours.owner = n.user_no and ours.friend
            order by ours.friend_since, ours.peer
            limit (select s.friends_per_user from setting as s)
        )
    ) as t;
    perform mailbox_lock(v_owner);

    for v_user in
        select u.user_no, u.nick, u.avatar_url from app_user as u where u.user_no = any (p_user_no)
    loop
        perform entry_add(
            array_agg(t.owner),
            array_agg(t.about),
            28,
            clock_timestamp(),
            json_build_object('nick', v_user.nick, 'avatar_url', v_user.avatar_url)::text
        )
        from unnest(v_owner, v_about) as t(owner, about)
        where t.about = v_user.user_no;
    end loop;
end
$$;
