-- duet.message_spread: p_seq[k] moved to place p_slot[k] of an array of p_n elements, the others null. For
-- message_send_batch alone.
create or replace function duet.message_spread(p_slot integer[], p_seq bigint[], p_n integer)
returns bigint[]
language plpgsql immutable
set search_path = duet, pg_temp
as $$
declare
    v_spread bigint[] := array_fill(null::bigint, array[p_n]);
begin
    for k in 1 .. coalesce(cardinality(p_slot), 0) loop
        v_spread[p_slot[k]] := p_seq[k];
    end loop;
    return v_spread;
end
$$;
