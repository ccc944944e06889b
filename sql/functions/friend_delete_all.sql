-- duet.friend_delete_all: the friends of p_user of longest standing, at most 200, are none any more and, unless
-- p_one_way, not the other way round either. `more`: there are others, for whom it is to be called again.
--
-- outcome  ok (also without friends) | user_unknown
-- retry    safe
-- locks    the mailboxes of p_user and of those friends, in ascending order
-- indexes  app_user_user_id_key, contact_friends, mailbox_head_pkey; those of friend_part
create or replace function duet.friend_delete_all(
    p_user text,
    p_one_way boolean,
    p_now timestamptz default null,
    out outcome text,
    out removed bigint,
    out more boolean
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
declare
    c_most constant bigint := bigint '200';
    v_owner bigint;
    v_owners bigint[];
    v_peers bigint[];
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    v_peers := array(
        select c.peer
        from contact as c
        where c.owner = v_owner and c.friend
        order by c.friend_since, c.peer
        limit c_most
    );
    perform mailbox_lock(v_owner || v_peers);
    if not exists (select from mailbox_head as h where h.owner = v_owner) then
        outcome := 'user_unknown';
        return;
    end if;
    outcome := 'ok';

    removed := (
        select count(*) from contact as c where c.owner = v_owner and c.peer = any (v_peers) and c.friend
    );
    v_owners := array_fill(v_owner, array[cardinality(v_peers)]);
    if p_one_way then
        perform friend_part(v_owners, v_peers, coalesce(p_now, clock_timestamp()));
    else
        perform friend_part(v_owners || v_peers, v_peers || v_owners, coalesce(p_now, clock_timestamp()));
    end if;
    more := exists (select from contact as c where c.owner = v_owner and c.friend);
end
$$;
