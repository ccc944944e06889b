-- duet.job_message_expire: take the contents from messages whose store_seconds have been over for a minute. They
-- are hidden since that very second; what is left of the row goes with its partition. The row stays till then, so
-- that numbers are without gaps and a message that is sent again is known.
--
-- Contents of users who are under a legal hold are kept aside before. Who puts one under a hold meanwhile waits, so a
-- slice is short; a rehearsal is longer, and is undone: it lets them pass.
--
-- retry    safe: a message without contents is not found again
-- locks    hold_lock, for which hold_put waits; up to 1000 rows of mailbox; passes over those that somebody else has
--          locked
-- indexes  mailbox_expires, mailbox_pkey (owner, seq), those of held_keep
create or replace function duet.job_message_expire(
    p_now timestamptz,
    p_rehearsal boolean,
    out rows bigint,
    out bytes bigint,
    out more boolean
)
language plpgsql
set search_path = duet, pg_temp
set lock_timeout = '1s'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_limit constant bigint := case when p_rehearsal then 100000 else 1000 end::bigint;
    v_owner bigint[];
    v_seq bigint[];
    v_sent_at timestamptz[];
begin
    if not p_rehearsal then
        perform hold_lock(false);
    end if;
    with due as materialized (
        select m.owner, m.seq, m.sent_at,
               octet_length(m.elements) + coalesce(octet_length(m.custom_data), 0)
               + coalesce(octet_length(m.push), 0) as size
        from mailbox as m
        where m.expires_at is not null and m.elements is not null
          and m.expires_at <= p_now - interval '1 minute'
        order by m.expires_at
        limit v_limit
        for update skip locked
    )
    select array_agg(d.owner), array_agg(d.seq), array_agg(d.sent_at), count(*), sum(d.size)
    into v_owner, v_seq, v_sent_at, rows, bytes
    from due as d;
    perform held_keep(v_owner, v_seq, v_sent_at);
    update mailbox as m
    set elements = null, custom_data = null, push = null
    from unnest(v_owner, v_seq, v_sent_at) as d(owner, seq, sent_at)
    where m.owner = d.owner and m.seq = d.seq and m.sent_at = d.sent_at;
    more := rows = v_limit;
end
$$;

select duet.job_schedule(
    'message_expire', '*/5 * * * *', interval '30 minutes',
    'Takes the contents from messages whose store_seconds are over.'
);
