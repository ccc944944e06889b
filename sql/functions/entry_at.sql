-- duet.entry_at: the entry of a mailbox with this number and time; no row: there is none, or an argument is null.
--
-- For a caller that seldom needs it: a query that joined the view instead would make ready to look through all of its
-- partitions, which takes longer than most of such queries.
--
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_pkey (owner, seq) of one day
create or replace function duet.entry_at(p_owner bigint, p_seq bigint, p_sent_at timestamptz)
returns setof duet.message_entry
language plpgsql stable strict rows 1
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
    return query
    select e.* from message_entry as e
    where e.owner = p_owner and e.seq = p_seq and e.sent_at = p_sent_at;
end
$$;
