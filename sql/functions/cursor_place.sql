-- duet.cursor_place: the row that a cursor of cursor_text names; of what is none, nulls.
--
-- retry    safe: reads nothing but its argument
-- locks    none
create or replace function duet.cursor_place(p_cursor text, out at timestamptz, out id bigint)
language sql immutable
as $$
    select
        timestamptz 'epoch' + split_part(c.cursor, '.', 1)::bigint * interval '1 microsecond',
        split_part(c.cursor, '.', 2)::bigint
    from (select case when p_cursor ~ '^[0-9]{1,16}\.[0-9]{1,18}$' then p_cursor end) as c(cursor)
$$;
