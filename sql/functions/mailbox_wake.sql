-- duet.mailbox_wake: tell the servers, when this transaction commits, that mailboxes have new entries.
--
-- p_owner are those whose heads say that somebody waits (watched_until); null or empty: nobody does, and nothing is
-- sent. One notice for all of them, or a few where they are many: it may have 7999 bytes. The heads have been
-- updated by this transaction, so that whoever began to wait since has done so after its commit, and reads the
-- entries without being told.
--
-- retry    safe: who is told once too often reads and finds nothing
-- locks    one of the whole database while the transaction commits, if anything is sent
create or replace function duet.mailbox_wake(p_owner bigint[])
returns void
language plpgsql
set search_path = duet, pg_temp
as $$
begin
    for v_first in 1 .. coalesce(cardinality(p_owner), 0) by 400 loop
        perform pg_notify('duet_mailbox', array_to_string(p_owner[v_first : v_first + 399], ','));
    end loop;
end
$$;
