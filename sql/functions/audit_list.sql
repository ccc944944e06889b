-- duet.audit_list: a page of the audit, newest first. A filter that is null lets all pass.
--
-- From p_since (inclusive) until p_until (exclusive), beyond the row that p_cursor names. Each row has the
-- cursor of what comes after it. A refusal, or an empty page, is one row whose `at` is null.
--
-- The statement is planned anew at each call, with the values: so a filter that is null costs nothing, and
-- the index is that of the filter which leaves the fewest rows. Filters without an index (key_id, address,
-- resource, outcome) sift what the others, and the times, have left.
--
-- outcome  ok | cursor_invalid
-- retry    safe: reads only
-- locks    none
-- indexes  audit_entry_request_id, audit_entry_on_behalf_of, audit_entry_subject, audit_entry_operation,
--          audit_entry_pkey
create or replace function duet.audit_list(
    p_subject text,
    p_key_id text,
    p_address text,
    p_operation text,
    p_resource text,
    p_on_behalf_of text,
    p_request_id text,
    p_outcome text,
    p_since timestamptz,
    p_until timestamptz,
    p_cursor text,
    p_limit bigint,
    p_now timestamptz default now()
)
returns table (
    outcome text,
    at timestamptz,
    subject text,
    key_id text,
    address text,
    operation text,
    resource text,
    on_behalf_of text,
    request_id text,
    entry_outcome text,
    cursor text
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    v_since constant timestamptz := greatest(p_since, audit_horizon(p_now));
    -- Nothing is written in the future; the day to spare is for clocks that are put back.
    v_until timestamptz := least(p_until, p_now + interval '1 day');
    v_beyond_at timestamptz := v_until;
    v_beyond_id bigint := bigint '0';
begin
    if p_cursor is not null then
        select p.at, p.id into v_beyond_at, v_beyond_id from cursor_place(p_cursor) as p;
        if v_beyond_at is null then
            outcome := 'cursor_invalid';
            return next;
            return;
        end if;
        v_until := least(v_until, v_beyond_at + interval '1 microsecond');
    end if;

    return query
    select
        'ok', a.at, a.subject, a.key_id, a.address, a.operation, a.resource, a.on_behalf_of,
        a.request_id, a.outcome, cursor_text(a.at, a.audit_id)
    from audit_entry as a
    where a.at >= v_since and a.at < v_until
      and (a.at, a.audit_id) < (v_beyond_at, v_beyond_id)
      and (p_subject is null or a.subject = p_subject)
      and (p_key_id is null or a.key_id = p_key_id)
      and (p_address is null or a.address = p_address)
      and (p_operation is null or a.operation = p_operation)
      and (p_resource is null or a.resource = p_resource)
      and (p_on_behalf_of is null or a.on_behalf_of = p_on_behalf_of)
      and (p_request_id is null or a.request_id = p_request_id)
      and (p_outcome is null or a.outcome = p_outcome)
    order by a.at desc, a.audit_id desc
    limit p_limit;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
