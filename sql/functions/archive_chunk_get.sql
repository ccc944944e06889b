-- duet.archive_chunk_get: the piece of an archive that has the byte at p_position, of the compressed archive
-- (p_gzip) or of what it is before; where the piece begins there, and how long it is when it is expanded.
--
-- A row; none where there is no such byte, or the archive has gone.
--
-- retry    safe: reads only
-- locks    none
-- indexes  archive_chunk_pkey, archive_chunk_gzip_position
create or replace function duet.archive_chunk_get(p_hour timestamptz, p_gzip boolean, p_position bigint)
returns table (begins_at bigint, bytes bigint, content bytea)
language plpgsql stable security definer
set search_path = duet, pg_temp
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    if p_gzip then
        return query
        select c.gzip_position, c.bytes, c.content
        from archive_chunk as c
        where c.hour = p_hour and c.gzip_position <= p_position
        order by c.gzip_position desc
        limit 1;
    else
        return query
        select c.position, c.bytes, c.content
        from archive_chunk as c
        where c.hour = p_hour and c.position <= p_position
        order by c.position desc
        limit 1;
    end if;
end
$$;
