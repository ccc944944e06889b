-- duet.job_idempotency_purge: remove idempotency keys of sends and of other requests after 24 hours.
--
-- retry    safe
-- locks    up to 10,000 rows of each table; passes over those that somebody else has locked
-- indexes  idempotency_key_created_at, request_key_created_at
create or replace function duet.job_idempotency_purge(
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
    v_limit constant bigint := case when p_rehearsal then 100000 else 10000 end::bigint;
    v_until constant timestamptz := p_now - interval '24 hours';
    v_n bigint;
    v_bytes bigint;
begin
    with gone as (
        delete from idempotency_key as k
        where k.ctid = any (array(
            select o.ctid from idempotency_key as o where o.created_at <= v_until limit v_limit for update skip locked
        ))
        returning pg_column_size(k.*) as size
    )
    select count(*), coalesce(sum(g.size), 0) into rows, bytes from gone as g;

    with gone as (
        delete from request_key as k
        where k.ctid = any (array(
            select o.ctid from request_key as o where o.created_at <= v_until limit v_limit for update skip locked
        ))
        returning pg_column_size(k.*) as size
    )
    select count(*), coalesce(sum(g.size), 0) into v_n, v_bytes from gone as g;

    more := rows = v_limit or v_n = v_limit;
    rows := rows + v_n;
    bytes := bytes + v_bytes;
    if not more and not p_rehearsal then
        perform brin_summarize_new_values('duet.idempotency_key_created_at'::regclass);
        perform brin_summarize_new_values('duet.request_key_created_at'::regclass);
    end if;
end
$$;

select duet.job_schedule(
    'idempotency_purge', '*/10 * * * *', interval '2 hours', 'Removes idempotency keys after 24 hours.'
);
