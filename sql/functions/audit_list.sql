-- duet.audit_list: a page of the audit, newest first. A filter that is null lets all pass.
--
-- From p_since (inclusive) until p_until (exclusive), beyond the row that p_cursor names. Each row has the
-- cursor of what comes after it. A refusal, or an empty page, is one row whose `at` is null.
--
-- No call looks at more than 10,000 entries: those that the first of p_request_id, p_on_behalf_of, p_operation and
-- p_subject leaves, which have an index each; the other filters sift these. A page that could not be filled so ends
-- with a row whose `at` is null, and whose cursor says where to go on.
--
-- The statement is planned anew at each call, with the values: so a filter that is null costs nothing.
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
    v_most constant bigint := bigint '10000';
    v_looked_at bigint := bigint '0';
    v_left bigint := p_limit;
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

    for
        outcome, at, subject, key_id, address, operation, resource, on_behalf_of, request_id, entry_outcome, cursor
    in
        select
            'ok', a.at, a.subject, a.key_id, a.address, a.operation, a.resource, a.on_behalf_of,
            a.request_id, a.outcome, cursor_text(a.at, a.audit_id)
        from audit_entry as a
        where a.at >= v_since and a.at < v_until
          and (a.at, a.audit_id) < (v_beyond_at, v_beyond_id)
          and case
              when p_request_id is not null then a.request_id = p_request_id
              when p_on_behalf_of is not null then a.on_behalf_of = p_on_behalf_of
              when p_operation is not null then a.operation = p_operation
              when p_subject is not null then a.subject = p_subject
              else true
          end
        order by a.at desc, a.audit_id desc
        limit v_most
    loop
        v_looked_at := v_looked_at + 1;
        continue when subject <> p_subject or key_id <> p_key_id or address <> p_address
            or operation <> p_operation or resource <> p_resource or request_id <> p_request_id
            or entry_outcome <> p_outcome
            or on_behalf_of is distinct from coalesce(p_on_behalf_of, on_behalf_of);
        return next;
        v_left := v_left - 1;
        exit when v_left = 0;
    end loop;

    if v_left = p_limit or v_left > 0 and v_looked_at = v_most then
        return query
        select
            'ok', null::timestamptz, null, null, null, null, null, null, null, null,
            case when v_looked_at = v_most then cursor end;
    end if;
end
$$;
