-- duet.job_partition_drop: drop the oldest partition that has expired; a slice is one partition.
--
-- A drop needs mailbox for itself for a moment, and whoever comes after it waits with it. So it waits for no more
-- than 50 ms, lets the others pass, and tries again; behind a read that takes long it gives up until the next
-- run. The files go after the commit, when the locks are gone already.
--
-- What held users have of a day is kept aside before, a slice at a time where it is much, and while nobody waits. Who
-- came under a hold meanwhile is seen to at each try, when hold_lock lets nobody else come under one before the day
-- is gone. A try that fails gives that lock back, too. Nobody writes to a day that old any more.
--
-- retry    safe: what is dropped is not there any more
-- locks    hold_lock, for which hold_put waits; then the partition and its parent, exclusively; waits for each no
--          longer than 50 ms
-- indexes  hold_pkey, those of held_keep_day
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
    v_kept_at_once constant bigint := bigint '20000';
    v_n_expired bigint;
    v_oldest record;
    v_table regclass;
    v_held duet.hold[];
    v_newly bigint[];
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
        v_held := array(select h from duet.hold as h);
        if duet.held_keep_day(
               array(select h.owner from unnest(v_held) as h), v_oldest.since, v_oldest.until, v_kept_at_once
           ) = v_kept_at_once then
            rows := 0;
            bytes := 0;
            more := true;
            return;
        end if;
    end if;

    for v_try in 1 .. v_tries loop
        begin
            if v_oldest.parent = 'duet.mailbox' then
                perform duet.hold_lock(false);
                -- Also who was released and is held again: what had been kept may be gone.
                v_newly := array(
                    select n.owner
                    from (
                        select h.owner, h.created_at from duet.hold as h
                        except
                        select h.owner, h.created_at from unnest(v_held) as h
                    ) as n
                );
                perform duet.held_keep_day(v_newly, v_oldest.since, v_oldest.until);
            end if;
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
