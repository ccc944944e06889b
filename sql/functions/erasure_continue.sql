-- duet.erasure_continue: remove up to p_limit more rows of what a deleted user owned, and answer with the receipt.
-- To be called until finished_at is there.
--
-- Messages in the mailboxes of others are theirs and stay, and so do their contact rows, which sending relies
-- on; but whoever had a friend or a block in that row has none any more, and a friend's devices are told by an
-- entry friend_removed, whose peer is nobody, so that its details have the id. That is found by the user's own contact
-- rows: where those have no counterpart, the other row stays as it is, and lists pass it over, as the user's
-- number is nobody's.
--
-- outcome  ok | erasure_unknown
-- retry    safe: each call removes what is left
-- locks    the receipt's row, so that one works at a time; then the heads of up to 1000 contacts and as many
--          who were asked or have asked, in ascending order
-- indexes  erasure_pkey, app_user_user_id_key, contact_pkey, friend_request_pkey, friend_group_pkey, user_tag_pkey,
--          device_pkey, stream_pkey, idempotency_key_pkey, request_key_pkey, mailbox_pkey (owner, seq)
create or replace function duet.erasure_continue(
    p_id text,
    p_limit bigint
)
returns duet.erasure_reply
language plpgsql security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_erasure erasure;
    v_left bigint := p_limit;
    v_peer bigint[];   -- of contacts
    v_asked bigint[];  -- of friend requests
    v_friend bigint[];
    v_table text;
    v_first bigint;
    v_n bigint;
    v_removed jsonb := jsonb_build_object();
begin
    select e.* into v_erasure
    from erasure as e
    where e.erasure_id = case when p_id ~ '^[1-9][0-9]{0,17}$' then p_id::bigint else 0 end
    for update;
    if not found then
        return erasure_get(p_id);
    end if;

    if v_erasure.finished_at is null then
        v_peer := array(
            select c.peer from contact as c
            where c.owner = v_erasure.user_no order by c.peer limit least(v_left, 1000)
        );
        v_left := case when cardinality(v_peer) < least(v_left, 1000) then v_left - cardinality(v_peer) else 0 end;
        v_asked := array(
            select q.peer from friend_request as q
            where q.owner = v_erasure.user_no order by q.outgoing, q.peer limit least(v_left, 1000)
        );
        v_left := case when cardinality(v_asked) < least(v_left, 1000) then v_left - cardinality(v_asked) else 0 end;
        perform mailbox_lock(v_peer || v_asked);
        v_friend := array(
            select c.owner from contact as c
            where c.owner = any (v_peer) and c.peer = v_erasure.user_no and c.friend
              -- To whom a user made again with the id is a friend by now, the entry would take that one.
              and not exists (
                  select from contact as n
                  where n.owner = c.owner
                    and n.peer = (select u.user_no from app_user as u where u.user_id = v_erasure.user_id)
                    and n.friend
              )
        );
        perform entry_add(
            v_friend, array_fill(v_erasure.user_no, array[cardinality(v_friend)]), 23, clock_timestamp(),
            json_build_object('deleted_user', v_erasure.user_id)::text
        );
        update contact as c
        set friend = false,
            friend_since = null,
            remark = '',
            groups = '{}',
            custom = '{}',
            blocked = false,
            blocked_at = null
        where c.owner = any (v_peer) and c.peer = v_erasure.user_no and (c.friend or c.blocked);
        delete from contact as c where c.owner = v_erasure.user_no and c.peer = any (v_peer);
        get diagnostics v_n = row_count;
        v_removed := v_removed || jsonb_build_object('contact', v_n);

        delete from friend_request as q where q.owner = any (v_asked) and q.peer = v_erasure.user_no;
        get diagnostics v_n = row_count;
        v_removed := v_removed || jsonb_build_object('friend_request', v_n);
        delete from friend_request as q where q.owner = v_erasure.user_no and q.peer = any (v_asked);
        get diagnostics v_n = row_count;
        v_removed := v_removed || jsonb_build_object('friend_request', (v_removed ->> 'friend_request')::bigint + v_n);

        -- At most 200, 32 and 100, and as many streams as were open.
        delete from device as d where d.owner = v_erasure.user_no;
        get diagnostics v_n = row_count;
        v_removed := v_removed || jsonb_build_object('device', v_n);
        delete from stream as s where s.owner = v_erasure.user_no;
        delete from friend_group as g where g.owner = v_erasure.user_no;
        get diagnostics v_n = row_count;
        v_removed := v_removed || jsonb_build_object('friend_group', v_n);
        delete from conversation_group as g where g.owner = v_erasure.user_no;
        get diagnostics v_n = row_count;
        v_removed := v_removed || jsonb_build_object('conversation_group', v_n);
        delete from message_extension as e where e.owner = v_erasure.user_no;
        get diagnostics v_n = row_count;
        v_removed := v_removed || jsonb_build_object('message_extension', v_n);
        delete from user_tag as t where t.owner = v_erasure.user_no;
        get diagnostics v_n = row_count;
        v_removed := v_removed || jsonb_build_object('user_tag', v_n);

        -- Those of the user's own tokens, which no service has, whatever its name. Those of others, which name the
        -- user, end within 24 hours.
        foreach v_table in array array['idempotency_key', 'request_key'] loop
            execute format(
                'delete from %1$I where caller = $1 and key = any (array(
                     select key from %1$I where caller = $1 and created_at <= $2 order by key limit $3))',
                v_table
            )
            using E'user\x1f' || v_erasure.user_id, v_erasure.started_at, v_left;
            get diagnostics v_n = row_count;
            v_removed := v_removed || jsonb_build_object(v_table, v_n);
            v_left := v_left - v_n;
        end loop;

        if v_left > 0 then
            select m.seq into v_first from mailbox as m where m.owner = v_erasure.user_no order by m.seq limit 1;
            delete from mailbox as m
            where m.owner = v_erasure.user_no and m.seq >= v_first and m.seq < v_first + v_left;
            get diagnostics v_n = row_count;
            v_removed := v_removed || jsonb_build_object('mailbox', v_n);
            if not exists (select from mailbox as m where m.owner = v_erasure.user_no) then
                v_erasure.finished_at := clock_timestamp();
            end if;
        end if;

        update erasure as e
        set finished_at = v_erasure.finished_at,
            removed = (
                select jsonb_object_agg(t.name, t.n)
                from (
                    select r.key as name, sum(r.value::bigint)::bigint as n
                    from (
                        select * from jsonb_each_text(e.removed)
                        union all
                        select * from jsonb_each_text(v_removed)
                    ) as r
                    group by r.key
                ) as t
            )
        where e.erasure_id = v_erasure.erasure_id;
    end if;

    return erasure_get(p_id);
end
$$;
