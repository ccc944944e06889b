-- duet.job_partition_drop: drop the oldest partition that has expired; a slice is one partition.
--
-- A drop needs mailbox for itself for a moment, and whoever comes after it waits with it. So it waits for no more
-- than 50 ms, lets the others pass, and tries again; behind a read that takes long it gives up until the next
-- run. The files go after the commit, when the locks are gone already.
--
-- retry    safe: what is dropped is not there any more
-- locks    the partition and its parent, exclusively; first reads what is to be kept of held users
create or replace function duet.job_partition_drop(
    p_now timestamptz,
    p_rehearsal boolean,
    out rows bigint,
    out bytes bigint,
    out more boolean
)
language plpgsql
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
    v_tries constant integer := 12;
    v_n_expired bigint;
    v_oldest record;
    v_table regclass;
begin
    select
        count(*),
        sum(pg_catalog.pg_total_relation_size(('duet.' || e.partition)::regclass))::bigint,
        sum(greatest((select c.reltuples from pg_catalog.pg_class as c where c.oid = ('duet.' || e.partition)::regclass), 0))::bigint
    into v_n_expired, bytes, rows
    from duet.partition_expired(p_now) as e;
    if v_n_expired = 0 or p_rehearsal then
        return;
    end if;

    select e.* into v_oldest from duet.partition_expired(p_now) as e limit 1;
    v_table := ('duet.' || v_oldest.partition)::regclass;
    bytes := pg_catalog.pg_total_relation_size(v_table);
    rows := (select greatest(c.reltuples, 0)::bigint from pg_catalog.pg_class as c where c.oid = v_table);
    if v_oldest.parent = 'duet.mailbox' then
        perform duet.held_keep(v_oldest.since, v_oldest.until);
    end if;

    for v_try in 1 .. v_tries loop
        begin
            execute pg_catalog.format('drop table duet.%I', v_oldest.partition);
            exit;
        exception
            when lock_not_available then
                if v_try = v_tries then
                    raise;
                end if;
        end;
        perform pg_catalog.pg_sleep(0.05 + 0.2 * pg_catalog.random());
    end loop;
    more := v_n_expired > 1;
end
$$;

select duet.job_schedule(
    'partition_drop', '27 * * * *', interval '6 hours',
    'Drops the days of mailboxes and archives and the weeks of the audit that nobody can read any more.'
);
