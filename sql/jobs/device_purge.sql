-- duet.job_device_purge: forget devices that were not seen for 90 days; those that were kicked, not before 90 days
-- from then. With them goes what made their tokens void: user_token_make gives none that lives for more than 30 days.
--
-- retry    safe
-- locks    up to 5000 rows of device; passes over those that somebody else has locked
-- indexes  device_seen_at
create or replace function duet.job_device_purge(
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
        delete from device as d
        where d.ctid = any (array(
            select o.ctid
            from device as o
            where o.seen_at < p_now - interval '90 days'
              and coalesce(o.kicked_at, '-infinity') < p_now - interval '90 days'
              and not exists (
                  select from stream as s
                  where s.owner = o.owner and s.device_id = o.device_id and s.open_until > p_now
              )
            limit v_limit
            for update skip locked
        ))
        returning pg_column_size(d.*) as size
    )
    select count(*), sum(g.size) into rows, bytes from gone as g;
    more := rows = v_limit;
end
$$;

select duet.job_schedule(
    'device_purge', '53 4 * * *', interval '2 days', 'Forgets devices that were not seen for 90 days.'
);
