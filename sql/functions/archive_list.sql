-- duet.archive_list: the closed hours that are kept, oldest first, of those that begin at p_since or later and before
-- p_until. One without messages is there too.
--
-- p_cursor is null or the cursor of the last row of the page before.
--
-- outcome  ok | cursor_invalid
-- retry    safe: reads only
-- locks    none
-- indexes  archive_pkey
create or replace function duet.archive_list(
    p_since timestamptz,
    p_until timestamptz,
    p_cursor text,
    p_limit bigint,
    p_now timestamptz default now()
)
returns table (
    outcome text,
    hour text,
    messages bigint,
    bytes bigint,
    sha256 text,
    gzip_bytes bigint,
    gzip_sha256 text,
    closed_at timestamptz,
    href text,
    cursor text
)
language plpgsql stable security definer
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_beyond timestamptz;
begin
    if p_cursor is not null then
        select p.at into v_beyond from cursor_place(p_cursor) as p;
        if v_beyond is null then
            outcome := 'cursor_invalid';
            return next;
            return;
        end if;
    end if;

    return query
    select
        'ok', archive_hour(a.hour), a.messages, a.bytes, encode(a.sha256, 'hex'), a.gzip_bytes,
        encode(a.gzip_sha256, 'hex'), a.closed_at, '/v1/archives/' || archive_hour(a.hour),
        cursor_text(a.hour, 0)
    from archive as a
    where a.closed_at is not null
      and a.hour >= archive_horizon(p_now)
      and (p_since is null or a.hour >= p_since)
      and (p_until is null or a.hour < p_until)
      and (v_beyond is null or a.hour > v_beyond)
    order by a.hour
    limit p_limit;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
