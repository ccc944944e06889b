-- duet.archive_summarize: bring the index by which messages of an hour are found up to date. Without that it
-- finds them too, but reads more of the day. For archive_next alone.
--
-- retry    safe
-- locks    the day's partition of mailbox, in a mode that lets sends go on. Where somebody has it, most likely
--          autovacuum, it is let be
create or replace function duet.archive_summarize(p_hour timestamptz)
returns void
language plpgsql
set search_path = ''
set lock_timeout = '100ms'
as $$
begin
    perform pg_catalog.brin_summarize_new_values(i.inhrelid::pg_catalog.regclass)
    from duet.partition_of('duet.mailbox') as p
    join pg_catalog.pg_index as x on x.indrelid = ('duet.' || p.partition)::pg_catalog.regclass
    join pg_catalog.pg_inherits as i
        on i.inhrelid = x.indexrelid and i.inhparent = 'duet.mailbox_sent_at'::pg_catalog.regclass
    where p_hour >= p.since and p_hour < p.until;
exception
    when lock_not_available then
        return;
end
$$;
