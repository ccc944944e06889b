-- duet.job_held_purge: remove what was kept aside of users who are under no legal hold any more.
--
-- retry    safe
-- locks    up to 5000 rows of held_entry
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
as $$
#variable_conflict use_column
declare
    v_limit constant bigint := case when p_rehearsal then 100000 else 5000 end::bigint;
begin
    with gone as (
        delete from held_entry as e
        where e.ctid = any (array(
            select o.ctid
            from held_entry as o
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
