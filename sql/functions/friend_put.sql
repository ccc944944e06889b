-- duet.friend_put: make p_peer a friend of p_user, and the other way round unless p_one_way. p_remark, p_groups
-- and p_custom are p_user's, and replace what there was.
--
-- p_as_user, the user of a device's token, must not get round what p_peer wishes: where p_peer has not agreed
-- already, by having p_user as a friend or by a request, the friend policy, a block, and that p_user may ask
-- nobody (friend_consent) are held against it.
--
-- outcome  ok | user_unknown | friends_full | group_unknown | friend_policy_refuses | blocked_by_recipient |
--          forbidden
-- retry    safe: a friendship that exists stays
-- locks    both mailboxes, so two who add each other wait for one another; limits are counted under them.
-- indexes  those of relation_lock, friend_consent, friend_link and friend_get
create or replace function duet.friend_put(
    p_user text,
    p_peer text,
    p_one_way boolean,
    p_remark text,
    p_groups text[],
    p_custom jsonb,
    p_as_user text default null,
    p_now timestamptz default null
)
returns duet.friend_reply
language plpgsql security definer set search_path = duet, pg_temp
as $$
declare
    v friend_reply;
    v_link record;
    v_owner bigint;
    v_peer bigint;
    v_now timestamptz;
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into v.outcome, v.pointer, v_owner, v_peer
    from relation_lock(p_user, p_peer) as l;
    if v.outcome <> 'ok' then
        return v;
    end if;
    v_now := coalesce(p_now, clock_timestamp());

    if p_as_user is not null
       and not exists ( -- which would change nothing on the other side
           select from friend as f
           where f.owner = v_owner and f.peer_no = v_peer and (p_one_way or f.mutual)
       ) then
        v.outcome := friend_consent(v_owner, v_peer, v_now);
        if v.outcome <> 'agreed' then
            v.outcome := case v.outcome when 'ask' then 'friend_policy_refuses' else v.outcome end;
            return v;
        end if;
    end if;

    select l.* into v_link
    from friend_link(
        v_owner, v_peer, not p_one_way, coalesce(p_remark, ''), coalesce(p_groups, '{}'),
        coalesce(p_custom, '{}'), null, null, v_now
    ) as l;
    if v_link.outcome = 'ok' then
        v := friend_get(p_user, p_peer);
        v.created := v_link.created;
    else
        v.outcome := v_link.outcome;
        v.pointer := v_link.pointer;
    end if;
    return v;
end
$$;
