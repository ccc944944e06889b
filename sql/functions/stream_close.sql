-- duet.stream_close: these streams have ended. Their devices were seen until now. The mailbox's lease runs out by
-- itself: others may follow it.
--
-- retry    safe
-- locks    the devices' rows, in ascending order of their keys
-- indexes  stream_pkey, device_pkey
create or replace function duet.stream_close(
    p_owner bigint[],
    p_stream bigint[],
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
    with closed as materialized (
        delete from stream as s
        using unnest(p_owner, p_stream) as c(owner, stream_id)
        where s.owner = c.owner and s.stream_id = c.stream_id
        returning s.owner, s.device_id
    ),
    seen as materialized (
        select d.owner, d.device_id
        from device as d
        join closed as c on c.owner = d.owner and c.device_id = d.device_id
        where d.seen_at < v_now
        order by d.owner, d.device_id
        for no key update of d
    )
    update device as d
    set seen_at = v_now
    from seen as s
    where d.owner = s.owner and d.device_id = s.device_id;
end
$$;
