-- duet.cursor_text: the cursor behind a row of a list that goes by time and number. cursor_place reads it.
create or replace function duet.cursor_text(p_at timestamptz, p_id bigint)
returns text
language sql immutable
as $$
    select (extract(epoch from p_at) * 1000000)::bigint || '.' || p_id
$$;
