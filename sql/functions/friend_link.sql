-- duet.friend_link: make p_peer a friend of p_owner and, with p_both, the other way round.
--
-- p_remark, p_groups and p_custom are p_owner's; null leaves them as they are. p_peer_remark is what a new
-- friend on the other side is called there. Pending requests between two who are mutual friends now have
-- been accepted. Entries go to p_owner, and with p_both to p_peer: friend_added where a friend is new,
-- friend_changed where something else has changed, none where nothing has.
--
-- outcome  ok | friends_full | group_unknown; pointer says which side is full, which group is unknown.
--          created: the friend is new on p_owner's side
-- retry    safe: a friendship that exists stays
-- locks    none; both mailboxes are locked already, under which limits are counted
-- indexes  contact_pkey; those of friend_count, friend_group_missing, friend_request_end
create or replace function duet.friend_link(
    p_owner bigint,
    p_peer bigint,
    p_both boolean,
    p_remark text,
    p_groups text[],
    p_custom jsonb,
    p_peer_remark text,
    p_since timestamptz,
    p_now timestamptz,
    out outcome text,
    out pointer text,
    out created boolean
)
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v_limit constant integer := (select s.friends_per_user from setting as s);
    v_groups text[];
    v_ours contact;
    v_theirs contact;
    v_new contact;
    v_missing bigint;
    v_theirs_new boolean;
    v_mutual boolean;
begin
    select * into v_ours from contact as c where c.owner = p_owner and c.peer = p_peer;
    select * into v_theirs from contact as c where c.owner = p_peer and c.peer = p_owner;
    created := v_ours.friend is not true;
    v_theirs_new := p_both and v_theirs.friend is not true;
    v_mutual := p_both or v_theirs.friend is true;

    v_missing := friend_group_missing(p_owner, p_groups);
    if v_missing is not null then
        outcome := 'group_unknown';
        pointer := '/groups/' || v_missing;
        return;
    end if;
    if created and friend_count(p_owner, v_limit) >= v_limit then
        outcome := 'friends_full';
        pointer := '/user';
        return;
    end if;
    if v_theirs_new and friend_count(p_peer, v_limit) >= v_limit then
        outcome := 'friends_full';
        pointer := '/peer';
        return;
    end if;
    outcome := 'ok';

    if p_groups is not null then
        v_groups := array(select distinct g collate "C" from unnest(p_groups) as g order by 1);
    end if;
    insert into contact as c (
        owner, peer, friend, friend_since, remark, groups, custom, created_at
    )
    values (
        p_owner, p_peer, true, coalesce(p_since, p_now), coalesce(p_remark, ''), coalesce(v_groups, '{}'),
        coalesce(p_custom, '{}'), p_now
    )
    on conflict (owner, peer) do update
    set friend = true,
        friend_since = coalesce(c.friend_since, excluded.friend_since),
        remark = coalesce(p_remark, c.remark),
        groups = coalesce(v_groups, c.groups),
        custom = coalesce(p_custom, c.custom)
    returning c.* into v_new;

    if v_theirs_new then
        insert into contact as c (owner, peer, friend, friend_since, remark, created_at)
        values (p_peer, p_owner, true, coalesce(p_since, p_now), coalesce(p_peer_remark, ''), p_now)
        on conflict (owner, peer) do update
        set friend = true,
            friend_since = excluded.friend_since,
            remark = excluded.remark;
    end if;

    if v_mutual and (created or v_theirs_new) then
        perform friend_request_end(p_owner, p_peer, 'accepted', p_now);
        perform friend_request_end(p_peer, p_owner, 'accepted', p_now);
    end if;

    if created or v_theirs_new
       or (v_new.remark, v_new.groups, v_new.custom)
          is distinct from (v_ours.remark, v_ours.groups, v_ours.custom) then
        perform entry_add(
            array[p_owner], array[p_peer], case when created then 21 else 22 end, p_now,
            friend_details(v_new.remark, v_new.groups, v_mutual));
    end if;
    if v_theirs_new then
        perform entry_add(
            array[p_peer], array[p_owner], 21, p_now,
            friend_details(coalesce(p_peer_remark, ''), '{}', true));
    elsif p_both and created then
        perform entry_add(
            array[p_peer], array[p_owner], 22, p_now,
            friend_details(v_theirs.remark, v_theirs.groups, true));
    end if;
end
$$;
