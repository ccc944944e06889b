-- duet.hold_lock: until this transaction ends, nobody comes under a legal hold; where p_shared, for whoever puts one
-- under a hold: until then nothing is taken away that the hold would keep. So a job sees a hold, or the hold
-- comes after all that the job has done.
--
-- First of all that either does: what it reads afterwards stays true, and nobody waits for what it has locked before.
--
-- retry    safe
-- locks    an advisory lock until the end of the transaction, or of the subtransaction if that is undone
create or replace function duet.hold_lock(p_shared boolean)
returns void
language plpgsql
set search_path = ''
as $$
begin
    if p_shared then
        perform pg_catalog.pg_advisory_xact_lock_shared(1146439764, pg_catalog.hashtext('hold'));
    else
        perform pg_catalog.pg_advisory_xact_lock(1146439764, pg_catalog.hashtext('hold'));
    end if;
end
$$;
