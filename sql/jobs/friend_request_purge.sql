-- duet.job_friend_request_purge: remove friend requests that have expired. They are hidden since that second.
--
-- retry    safe
-- locks    up to 5000 rows of friend_request; passes over those that somebody else has locked
create or replace function duet.job_friend_request_purge(
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
        delete from friend_request as r
        where r.ctid = any (array(
            select o.ctid from friend_request as o where o.expires_at <= p_now limit v_limit for update skip locked
        ))
        returning pg_column_size(r.*) as size
    )
    select count(*), sum(g.size) into rows, bytes from gone as g;
    more := rows = v_limit;
end
$$;

select duet.job_schedule(
    'friend_request_purge', '47 * * * *', interval '6 hours', 'Removes friend requests that have expired.'
);
