-- duet.block_put: p_user wants no messages from p_peer. A friend request between the two ends: p_peer's is
-- rejected, p_user's own is taken back. Friendships stay as they are.
--
-- p_peer learns nothing of a block: the entry block_added goes to p_user's own mailbox alone.
--
-- outcome  ok | user_unknown | blocks_full
-- retry    safe: a block that exists stays
-- locks    both mailboxes; the limit is counted under them. A message on its way at this very moment may
--          still arrive
-- indexes  those of relation_lock, block_count, friend_request_end and block_get; contact_pkey
create or replace function duet.block_put(
    p_user text,
    p_peer text,
    p_now timestamptz default null,
    out outcome text,
    out pointer text,
    out created boolean,
    out peer text,
    out peer_profile_nick text,
    out peer_profile_avatar_url text,
    out blocked_at timestamptz
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_peer bigint;
    v_now timestamptz;
    v_limit constant integer := (select s.blocks_per_user from setting as s);
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into outcome, pointer, v_owner, v_peer
    from relation_lock(p_user, p_peer) as l;
    if outcome <> 'ok' then
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());

    created := not exists (
        select from contact as c where c.owner = v_owner and c.peer = v_peer and c.blocked
    );
    if created then
        if block_count(v_owner, v_limit) >= v_limit then
            outcome := 'blocks_full';
            return;
        end if;
        insert into contact as c (owner, peer, blocked, blocked_at, created_at)
        values (v_owner, v_peer, true, v_now, v_now)
        on conflict (owner, peer) do update
        set blocked = true,
            blocked_at = excluded.blocked_at;
        perform friend_request_end(v_peer, v_owner, 'rejected', v_now);
        perform friend_request_end(v_owner, v_peer, 'cancelled', v_now);
        perform entry_add(array[v_owner], array[v_peer], 26, v_now);
    end if;

    select g.outcome, g.peer, g.peer_profile_nick, g.peer_profile_avatar_url, g.blocked_at
    into outcome, peer, peer_profile_nick, peer_profile_avatar_url, blocked_at
    from block_get(p_user, p_peer) as g;
end
$$;
