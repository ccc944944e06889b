-- duet.job_extension_purge: remove the named values of messages that are too old to be read.
--
-- retry    safe
-- locks    up to 5000 rows of message_extension
-- indexes  message_extension_sent_at
create or replace function duet.job_extension_purge(
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
        delete from message_extension as e
        where e.ctid = any (array(
            select o.ctid
            from message_extension as o
            where o.sent_at < message_horizon(p_now)
            order by o.sent_at
            limit v_limit
        ))
        returning pg_column_size(e.*) as size
    )
    select count(*), sum(g.size) into rows, bytes from gone as g;
    more := rows = v_limit;
end
$$;

select duet.job_schedule(
    'extension_purge', '22 * * * *', interval '6 hours', 'Removes the named values of messages that are too old to be read.'
);
