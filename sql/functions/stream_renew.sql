-- duet.stream_renew: these streams are still open, and their mailboxes followed. Rows that a crash of the database
-- has taken are made anew.
--
-- retry    safe
-- locks    heads whose lease has less than half left, in ascending order of owner
-- indexes  stream_pkey, mailbox_head_pkey
create or replace function duet.stream_renew(
    p_owner bigint[],
    p_stream bigint[],
    p_device text[],
    p_opened_at bigint[],
    p_now timestamptz default null
)
returns void
language plpgsql security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_now constant timestamptz := coalesce(p_now, clock_timestamp());
begin
    insert into stream as s (owner, stream_id, device_id, opened_at, open_until)
    select
        n.owner, n.stream_id, n.device_id, timestamptz 'epoch' + n.opened_at * interval '1 microsecond',
        v_now + stream_lease()
    from unnest(p_owner, p_stream, p_device, p_opened_at) as n(owner, stream_id, device_id, opened_at)
    join mailbox_head as h on h.owner = n.owner
    order by n.owner, n.stream_id
    on conflict (owner, stream_id) do update set open_until = excluded.open_until;

    with due as materialized (
        select h.owner
        from mailbox_head as h
        where h.owner = any (p_owner) and h.watched_until < v_now + stream_lease() / 2
        order by h.owner
        for no key update
    )
    update mailbox_head as h
    set watched_until = v_now + stream_lease()
    from due
    where h.owner = due.owner;
end
$$;
