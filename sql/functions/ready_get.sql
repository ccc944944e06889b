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
    v_ready constant record := schema_ready();
begin
    outcome := 'ok';

    name := 'schema';
    ok := v_ready.version is not null;
    detail := 'version ' || coalesce(v_ready.version, 0);
    return next;

    name := 'primary';
    ok := not v_ready.in_recovery;
    detail := case when ok then 'the database takes writes' else 'the database is a standby' end;
    return next;

    name := 'partitions';
    ok := v_ready.partitions_ahead_days >= 1;
    detail := 'mailboxes have partitions for '
              || greatest(v_ready.partitions_ahead_days, 0) || ' days ahead';
    return next;
end
$$;
