-- duet.friend_group_missing: the place, from 0, of the first of p_groups that is no friend group of p_owner;
-- null where all are.
--
-- retry    safe: reads only; call it under the lock of the owner's mailbox
-- locks    none
-- indexes  friend_group_pkey
create or replace function duet.friend_group_missing(p_owner bigint, p_groups text[])
returns bigint
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    return (
        select min(n) - 1
        from unnest(p_groups) with ordinality as g(name, n)
        where not exists (select from friend_group as f where f.owner = p_owner and f.name = g.name)
    );
end
$$;
