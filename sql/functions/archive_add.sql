-- duet.archive_add: keep the next piece of the archive that is being made.
--
-- retry    not safe: call it once for each piece
-- locks    none that others wait for
-- indexes  archive_chunk_pkey
create or replace function duet.archive_add(
    p_hour timestamptz,
    p_position bigint,
    p_gzip_position bigint,
    p_bytes bigint,
    p_content bytea
)
returns void
language sql security definer
set search_path = duet, pg_temp
as $$
    insert into archive_chunk (hour, position, gzip_position, bytes, content)
    values (p_hour, p_position, p_gzip_position, p_bytes, p_content)
$$;
