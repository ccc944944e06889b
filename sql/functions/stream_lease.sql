-- duet.stream_lease: for how long a server's word that somebody follows a mailbox is good. Servers give it anew
-- long before; one that died is forgotten after that.
--
-- retry    safe
-- locks    none
create or replace function duet.stream_lease()
returns interval
language sql immutable
as $$
    select interval '2 minutes'
$$;
