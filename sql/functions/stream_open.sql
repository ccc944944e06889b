-- duet.stream_open: a server is about to follow a mailbox, for a stream or for a request that waits.
--
-- From its commit on every writer of the mailbox notifies the channel duet_mailbox. So the server reads after
-- that: what it does not find then, it will be told of. The head, which senders are at, is only
-- written when its lease has less than half left.
--
-- p_stream is random. p_most is how many streams a user may have open at once, on all servers; two that open at the
-- same moment may both be the last.
--
-- outcome  ok | user_unknown | streams_full; with p_device those of device_session
-- owner    the mailbox's; last_seq its newest entry, opened_at the moment since when the caller is connected
--
-- retry    not needed: what is left behind runs out
-- locks    the mailbox's head, where the lease is renewed
-- indexes  app_user_user_id_key, device_pkey, stream_pkey, mailbox_head_pkey
create or replace function duet.stream_open(
    p_user text,
    p_device text,
    p_stream bigint,
    p_most bigint,
    p_as_user text default null,
    p_as_device text default null,
    p_issued_at timestamptz default null,
    p_now timestamptz default null,
    out outcome text,
    out owner bigint,
    out last_seq bigint,
    out opened_at timestamptz
)
language plpgsql security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := coalesce(p_now, clock_timestamp());
begin
    select u.user_no into owner from app_user as u where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return;
    end if;
    if p_device is not null then
        outcome := device_session(owner, p_device, p_as_user, p_as_device, p_issued_at);
        if outcome <> 'ok' then
            return;
        end if;
    end if;

    delete from stream as s where s.owner = stream_open.owner and s.open_until < v_now;
    if (select count(*) from stream as s where s.owner = stream_open.owner) >= p_most then
        outcome := 'streams_full';
        return;
    end if;
    insert into stream (owner, stream_id, device_id, opened_at, open_until)
    values (owner, p_stream, p_device, v_now, v_now + stream_lease());

    update mailbox_head as h
    set watched_until = v_now + stream_lease()
    where h.owner = stream_open.owner and h.watched_until < v_now + stream_lease() / 2;

    select h.last_seq into last_seq from mailbox_head as h where h.owner = stream_open.owner;
    outcome := case when found then 'ok' else 'user_unknown' end;
    opened_at := v_now;
end
$$;
