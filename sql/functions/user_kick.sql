-- duet.user_kick: end sessions of a user: those of one device, of one platform, or (both null) all, and then every
-- user token that was issued before is void as well.
--
-- outcome  ok | user_unknown | device_unknown (pointer /device)
-- retry    safe: what has ended stays so
-- locks    the user's row; the mailbox; the devices' rows
-- indexes  app_user_user_id_key, mailbox_head_pkey, device_pkey
create or replace function duet.user_kick(
    p_user text,
    p_device text,
    p_platform text,
    p_now timestamptz default null,
    out outcome text,
    out pointer text,
    out kicked bigint
)
language plpgsql security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_now timestamptz;
    v_device text[];
begin
    -- The row before the mailbox, as whoever else changes a user has it.
    select u.user_no into v_owner from app_user as u where u.user_id = p_user for no key update;
    if not found or mailbox_lock(array[v_owner]) = 0 then
        outcome := 'user_unknown';
        return;
    end if;
    v_now := coalesce(p_now, clock_timestamp());
    v_device := array(
        select d.device_id
        from device as d
        where d.owner = v_owner
          and d.logged_in_at is not null
          and (p_device is null or d.device_id = p_device)
          and (p_platform is null or d.platform = p_platform)
    );
    if p_device is not null and cardinality(v_device) = 0 then
        outcome := 'device_unknown';
        pointer := '/device';
        return;
    end if;

    outcome := 'ok';
    kicked := device_kick(v_owner, v_device, 'kicked', null, v_now);
    if p_device is null and p_platform is null then
        -- Tokens tell whole seconds: void is what was issued in this one, too (user_token_make knows).
        -- Nor does a clock that was put back since the last login spare the tokens of that one.
        update app_user as u
        set tokens_valid_from = greatest(
            u.tokens_valid_from,
            date_trunc('second', v_now) + interval '1 second',
            (
                select date_trunc('second', max(d.logged_in_at)) + interval '1 second'
                from device as d
                where d.owner = v_owner
            )
        )
        where u.user_no = v_owner;
        perform entry_add(
            array[v_owner], array[v_owner], 30, v_now,
            json_build_object('device', null, 'platform', null, 'reason', 'kicked', 'by', null)::text
        );
    end if;
end
$$;
