-- duet.archive_get: what there is to know of the archive of an hour before its bytes are read.
--
-- outcome  ok | hour_not_closed | archive_expired | archive_unknown (the hour lies before the first that was closed)
-- retry    safe: reads only
-- locks    none
-- indexes  archive_pkey
create or replace function duet.archive_get(
    p_begins_at timestamptz,
    p_now timestamptz default now(),
    out outcome text,
    out bytes bigint,
    out sha256 text,
    out digest text,
    out gzip_bytes bigint,
    out gzip_sha256 text,
    out gzip_digest text
)
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v archive;
begin
    select a.* into v from archive as a where a.hour = p_begins_at;
    outcome := case
        when p_begins_at < archive_horizon(p_now) then 'archive_expired'
        when v.closed_at is not null then 'ok'
        when v.hour is not null or p_begins_at >= (select g.closed_until from archive_gate as g) then 'hour_not_closed'
        else 'archive_unknown'
    end;
    if outcome <> 'ok' then
        return;
    end if;
    bytes := v.bytes;
    sha256 := encode(v.sha256, 'hex');
    digest := encode(v.sha256, 'base64');
    gzip_bytes := v.gzip_bytes;
    gzip_sha256 := encode(v.gzip_sha256, 'hex');
    gzip_digest := encode(v.gzip_sha256, 'base64');
end
$$;
