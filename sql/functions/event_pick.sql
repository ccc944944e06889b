-- duet.event_pick: the next p_limit entries of each of some mailboxes after a seq, oldest first: of mailbox
-- p_owner[i] after p_after[i], as `pair` i. One mailbox may stand there several times.
--
-- Left out are entries older than p_since, messages that have expired, that were removed, or that were imported:
-- history and no news. One that is for connected devices only has expired when it is sent; it is shown to whoever
-- has been connected since p_live_since.
--
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_pkey (owner, seq)
create or replace function duet.event_pick(
    p_owner bigint[],
    p_after bigint[],
    p_limit bigint,
    p_since timestamptz,
    p_live_since timestamptz,
    p_now timestamptz
)
returns table (pair bigint, entry duet.message_entry)
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_sort = off
as $$
#variable_conflict use_column
begin
    return query
    select p.pair, e.entry
    from unnest(p_owner, p_after) with ordinality as p(owner, after, pair)
    cross join lateral (
        select e as entry
        from message_entry as e
        where e.owner = p.owner and e.seq > p.after
          and e.sent_at >= p_since and e.sent_at < p_now + interval '1 day'
          and (
              e.expires_at is null or e.expires_at > p_now
              or e.expires_at = e.sent_at and e.sent_at >= p_live_since
          )
          and not e.deleted
          and e.options & 32 = 0
        order by e.seq
        limit p_limit
    ) as e;
end
$$;
