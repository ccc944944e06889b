-- duet.random_nonce: 32 bits that nobody can guess, for the id of a message that SQL makes itself.
create or replace function duet.random_nonce()
returns bigint
language sql volatile
set search_path = duet, pg_temp
as $$
    -- The first 32 bits of a random UUID are all random.
    select ('x' || left(gen_random_uuid()::text, 8))::bit(32)::bigint & 4294967295
$$;
