-- duet.ready_get: what the database must have for the server to do its work, one row for each.
--
-- outcome  ok
-- retry    safe: reads only
-- locks    none
create or replace function duet.ready_get()
returns table (outcome text, name text, ok boolean, detail text)
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
declare
    v_version integer;
    v_days_ahead bigint;
    v_standby boolean;
begin
    select r.version, r.partitions_ahead_days, r.in_recovery
    into v_version, v_days_ahead, v_standby
    from schema_ready() as r;
    outcome := 'ok';

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
end
$$;
