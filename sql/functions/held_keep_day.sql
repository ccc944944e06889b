-- duet.held_keep_day: copy aside what is not kept yet of the entries from p_since until p_until, of those of p_owner
-- who are under a legal hold; p_limit entries at most. Returns how many it has found: fewer than p_limit when that
-- was all.
--
-- retry    safe: goes on with what is left
-- locks    see held_keep
-- indexes  hold_pkey, mailbox_pkey (owner, seq), held_entry_pkey, those of held_keep
create or replace function duet.held_keep_day(
    p_owner bigint[],
    p_since timestamptz,
    p_until timestamptz,
    p_limit bigint default null
)
returns bigint
language plpgsql
set search_path = duet, pg_temp
set plan_cache_mode = force_custom_plan -- the day is told apart when it is planned
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_owner bigint[];
    v_seq bigint[];
    v_sent_at timestamptz[];
begin
    select array_agg(e.owner), array_agg(e.seq), array_agg(e.sent_at)
    into v_owner, v_seq, v_sent_at
    from (
        select m.owner, m.seq, m.sent_at
        from unnest(p_owner) as o(owner)
        join hold as h on h.owner = o.owner
        join mailbox as m on m.owner = h.owner
        where m.sent_at >= p_since and m.sent_at < p_until
          and not exists (select from held_entry as k where k.owner = m.owner and k.seq = m.seq)
        limit p_limit
    ) as e;
    perform held_keep(v_owner, v_seq, v_sent_at);
    return coalesce(cardinality(v_owner), 0)::bigint;
end
$$;
