-- duet.job_held_purge: remove what was kept aside of users who are under no legal hold any more.
--
-- Whose that is is found from owner to owner: most of what is kept is of those who are still held, and may be much.
--
-- retry    safe
-- locks    where there is something to remove, hold_lock, for which hold_put waits; up to 5000 rows of held_entry
-- indexes  held_entry_pkey, hold_pkey
create or replace function duet.job_held_purge(
    p_now timestamptz,
    p_rehearsal boolean,
    out rows bigint,
    out bytes bigint,
    out more boolean
)
language plpgsql
set search_path = duet, pg_temp
set lock_timeout = '1s'
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_limit constant bigint := case when p_rehearsal then 100000 else 5000 end::bigint;
    v_released bigint[];
begin
    v_released := array(
        with recursive kept as (
            (select e.owner from held_entry as e order by e.owner limit 1)
            union all
            select (select e.owner from held_entry as e where e.owner > k.owner order by e.owner limit 1)
            from kept as k
            where k.owner is not null
        )
        select k.owner
        from kept as k
        where k.owner is not null and not exists (select from hold as h where h.owner = k.owner)
        limit v_limit
    );
    rows := 0;
    more := false;
    if v_released = '{}' then
        return;
    end if;

    -- Who is held again by now keeps what there is.
    if not p_rehearsal then
        perform hold_lock(false);
    end if;
    with gone as (
        delete from held_entry as e
        where e.ctid = any (array(
            select o.ctid
            from unnest(v_released) as r(owner)
            join held_entry as o on o.owner = r.owner
            where not exists (select from hold as h where h.owner = o.owner) and o.held_at <= p_now
            limit v_limit
        ))
        returning pg_column_size(e.*) as size
    )
    select count(*), sum(g.size) into rows, bytes from gone as g;
    more := rows = v_limit;
end
$$;

select duet.job_schedule(
    'held_purge', '52 * * * *', interval '6 hours', 'Removes what was kept of users whose legal hold has ended.'
);
