-- duet.job_notification_purge: remove notifications that no mailbox can have a copy of any more: all days on which they
-- were delivered have been dropped. A copy may be a day ahead of the job that made it: see message_time. What is kept
-- of held users has a body of its own.
--
-- retry    safe
-- locks    up to 5000 rows of notification; passes over those that somebody else has locked
create or replace function duet.job_notification_purge(
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
    v_until constant timestamptz := (
        select least(min(p.since), p_now) - interval '1 day' from partition_of('duet.mailbox') as p
    );
begin
    with gone as (
        delete from notification as n
        where n.ctid = any (array(
            select o.ctid
            from notification as o
            where o.due_at is null and o.finished_at < v_until
            limit v_limit
            for update skip locked
        ))
        returning pg_column_size(n.*) as size
    )
    select count(*), sum(g.size) into rows, bytes from gone as g;
    more := rows = v_limit;
end
$$;

select duet.job_schedule(
    'notification_purge', '33 4 * * *', interval '2 days',
    'Removes notifications that are in nobody''s mailbox any more.'
);
