-- duet.device_put: a device logs in, for the first time or again. Sessions that the setting `sessions` does not allow
-- beside it end: with one, all others; with one_per_platform, those of the same platform; in any case those seen
-- longest ago beyond sessions_limit. Who is online is seen now.
--
-- A device that is new has position 0: it is given what the offline rules leave. One that logs in again goes on
-- where it was.
--
-- 200 devices are remembered. Where a new one finds no room, those make it whose sessions had ended when all tokens
-- of the user were made void: nothing has to be kept of them to know their tokens by.
--
-- outcome  ok | user_unknown | forbidden, unauthenticated (see device_session) | devices_full
-- retry    safe: it logs in again
-- locks    the mailbox; the rows of the devices whose sessions end
-- indexes  app_user_user_id_key, mailbox_head_pkey, those of device_page
create or replace function duet.device_put(
    p_user text,
    p_device text,
    p_platform text,
    p_push_vendor text,
    p_push_token text,
    p_as_user text,
    p_as_device text,
    p_issued_at timestamptz,
    p_now timestamptz default null
)
returns duet.device_reply
language plpgsql security definer
set search_path = duet, pg_temp
as $$
declare
    v device_reply;
    v_owner bigint;
    v_now timestamptz;
    v_policy text;
    v_limit integer;
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found or mailbox_lock(array[v_owner]) = 0 then
        v.outcome := 'user_unknown';
        return v;
    end if;
    -- Under the lock, so that what is kicked is kicked before what logs in after it: the token was good when
    -- the call began, but all may have been made void while it waited.
    v_now := coalesce(p_now, clock_timestamp());
    v.outcome := case
        when caller_is_good(p_as_user, p_issued_at, p_as_device)
            then device_session(v_owner, p_device, p_as_user, p_as_device, p_issued_at)
        else 'unauthenticated'
    end;
    if v.outcome in ('forbidden', 'unauthenticated') then
        return v;
    end if;
    if not exists (select from device as d where d.owner = v_owner and d.device_id = p_device)
       and (select count(*) from device as d where d.owner = v_owner) >= 200 then
        delete from device as d
        using app_user as u
        where u.user_no = v_owner
          and d.owner = v_owner
          and not d.is_active
          and d.kicked_at < date_trunc('second', u.tokens_valid_from);
        if not found then
            v.outcome := 'devices_full';
            return v;
        end if;
    end if;

    v.created := v.outcome = 'device_unknown';
    insert into device as d (
        owner, device_id, platform, push_vendor, push_token, created_at, logged_in_at, seen_at
    )
    values (v_owner, p_device, p_platform, p_push_vendor, p_push_token, v_now, v_now, v_now)
    on conflict (owner, device_id) do update
    set platform = excluded.platform,
        push_vendor = excluded.push_vendor,
        push_token = excluded.push_token,
        created_at = case when d.logged_in_at is null then excluded.created_at else d.created_at end,
        -- Two moments may look the same.
        logged_in_at = greatest(excluded.logged_in_at, d.kicked_at + interval '1 microsecond'),
        seen_at = excluded.seen_at;

    select s.sessions, s.sessions_limit into v_policy, v_limit from setting as s;
    perform device_kick(
        v_owner,
        array(
            select o.device
            from (
                select
                    d.device,
                    v_policy = 'one' or v_policy = 'one_per_platform' and d.platform = p_platform as is_ousted,
                    row_number() over (order by d.last_seen_at desc, d.device) as place
                from device_page(v_owner, null, v_now) as d
                where d.device <> p_device and d.state <> 'kicked'
            ) as o
            where o.is_ousted or o.place >= v_limit
        ),
        'policy', p_device, v_now
    );

    return device_reply_of(v_owner, p_device, v.created, v_now);
end
$$;
