-- duet.archive_close: the archive of the hour is made: from the commit on it can be fetched, and never changes.
--
-- retry    safe: a second one changes nothing
-- locks    the hour's row
-- indexes  archive_pkey
create or replace function duet.archive_close(
    p_hour timestamptz,
    p_messages bigint,
    p_bytes bigint,
    p_sha256 bytea,
    p_gzip_bytes bigint,
    p_gzip_sha256 bytea
)
returns void
language sql security definer
set search_path = duet, pg_temp
as $$
    update archive as a
    set closed_at = now(), -- when the transaction began, whose moment the archive shows
        messages = p_messages,
        bytes = p_bytes,
        sha256 = p_sha256,
        gzip_bytes = p_gzip_bytes,
        gzip_sha256 = p_gzip_sha256
    where a.hour = p_hour and a.closed_at is null
$$;
