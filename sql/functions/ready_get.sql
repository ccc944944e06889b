-- duet.ready_get: what the database must have for the server to do its work, one row for each; with p_verbose
-- also what an operator should look at, which does not keep the server from working (`needed` false).
--
-- outcome  ok
-- retry    safe: reads only
-- locks    none
create or replace function duet.ready_get(p_verbose boolean default false, p_now timestamptz default now())
returns table (outcome text, name text, ok boolean, needed boolean, detail text)
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
declare
    v_version integer;
    v_days_ahead constant bigint := partition_days_ahead(p_now);
    v_standby boolean;
    v_late text;
    v_default_rows bigint;
begin
    select r.version, r.in_recovery into v_version, v_standby from schema_ready() as r;
    outcome := 'ok';
    needed := true;

    name := 'schema';
    ok := v_version is not null;
    detail := 'version ' || coalesce(v_version, 0);
    return next;

    name := 'primary';
    ok := not v_standby;
    detail := case when v_standby then 'the database is a standby' else 'the database takes writes' end;
    return next;

    name := 'partitions';
    ok := v_days_ahead >= 1;
    detail := 'mailboxes have partitions for ' || greatest(v_days_ahead, 0) || ' days ahead';
    return next;

    if not p_verbose then
        return;
    end if;
    needed := false;

    name := 'partitions_ahead';
    ok := v_days_ahead >= 2;
    return next;

    name := 'partition_default';
    v_default_rows := partition_default_rows();
    ok := v_default_rows = 0;
    detail := v_default_rows || ' rows lie in a default partition';
    return next;

    name := 'jobs';
    v_late := (select string_agg(s.name, ', ' order by s.name) from job_state(p_now) as s where s.late);
    ok := v_late is null;
    detail := coalesce('late: ' || v_late, 'no job is late');
    return next;
end
$$;
