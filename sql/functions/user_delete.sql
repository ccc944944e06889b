-- duet.user_delete: a user is no more from this moment on. What the user owned is removed afterwards, piece by
-- piece, by erasure_continue. Answers with the receipt.
--
-- Where the user is gone already, and nobody has the id now, the receipt is that of the last time.
--
-- outcome  ok | user_unknown | user_held (under a legal hold)
-- retry    safe
-- locks    the user's row, then the head of the user's mailbox
-- indexes  app_user_user_id_key, app_user_pkey, hold_pkey, mailbox_head_pkey, erasure_user_id
create or replace function duet.user_delete(
    p_user text
)
returns duet.erasure_reply
language plpgsql security definer
set search_path = duet, pg_temp
as $$
declare
    v erasure_reply;
    v_user_no bigint;
    v_watched boolean;
    v_erasure_id bigint;
begin
    select u.user_no into v_user_no from app_user as u where u.user_id = p_user for update;
    if found then
        if exists (select from hold as h where h.owner = v_user_no) then
            v.outcome := 'user_held';
            return v;
        end if;
        perform mailbox_lock(array[v_user_no]);
        delete from mailbox_head as h where h.owner = v_user_no returning h.watched_until > now() into v_watched;
        if v_watched then
            perform mailbox_wake(array[v_user_no]);
        end if;
        delete from app_user as u where u.user_no = v_user_no;
        insert into erasure as e (user_id, user_no, started_at, removed)
        values (p_user, v_user_no, clock_timestamp(), '{"app_user": 1, "mailbox_head": 1}')
        returning e.erasure_id into v_erasure_id;
    else
        select e.erasure_id into v_erasure_id
        from erasure as e
        where e.user_id = p_user
        order by e.erasure_id desc
        limit 1;
        if not found then
            v.outcome := 'user_unknown';
            return v;
        end if;
    end if;
    return erasure_get(v_erasure_id::text);
end
$$;
