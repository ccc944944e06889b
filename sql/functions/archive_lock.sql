-- duet.archive_lock: whether this transaction, and no other, may work on archives until it ends.
--
-- retry    safe
-- locks    an advisory lock for the transaction, for which it does not wait
create or replace function duet.archive_lock()
returns boolean
language sql
set search_path = ''
as $$
    select pg_catalog.pg_try_advisory_xact_lock(1146439764, pg_catalog.hashtext('archive'))
$$;
