-- duet.mailbox_lock: lock the mailboxes of some users, in ascending order. Returns how many of them exist.
--
-- First of all that a function does which writes entries or contacts: what it reads afterwards stays true.
--
-- retry    safe
-- locks    the heads, until the end of the transaction
-- indexes  mailbox_head_pkey
create or replace function duet.mailbox_lock(p_owner bigint[])
returns integer
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v_owner bigint;
    v_n integer := 0;
begin
    for v_owner in select distinct o from unnest(p_owner) as o where o is not null order by o loop
        perform from mailbox_head as h where h.owner = v_owner for update;
        if found then
            v_n := v_n + 1;
        end if;
    end loop;
    return v_n;
end
$$;
