-- duet.job_erasure_continue: remove what deleted users have left behind, where the request that deleted them had
-- not the time.
--
-- retry    safe: see erasure_continue
-- locks    see erasure_continue
-- indexes  erasure_unfinished
create or replace function duet.job_erasure_continue(
    p_now timestamptz,
    p_rehearsal boolean,
    out rows bigint,
    out bytes bigint,
    out more boolean
)
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v_id bigint;
    v_before jsonb;
    v_receipt record;
begin
    rows := 0;
    bytes := 0;
    select e.erasure_id, e.removed into v_id, v_before
    from erasure as e
    where e.finished_at is null and e.started_at <= p_now
    order by e.erasure_id
    limit 1;
    if not found then
        return;
    end if;
    select r.* into v_receipt
    from erasure_continue(v_id::text, case when p_rehearsal then 100000 else 20000 end) as r;
    rows := (select coalesce(sum(n.value::bigint), 0)::bigint from jsonb_each_text(v_receipt.removed) as n)
        - (select coalesce(sum(n.value::bigint), 0)::bigint from jsonb_each_text(v_before) as n);
    more := not p_rehearsal
        and exists (select from erasure as e where e.finished_at is null and e.started_at <= p_now);
end
$$;

select duet.job_schedule(
    'erasure_continue', '* * * * *', interval '1 hour', 'Removes what deleted users have left behind.'
);
