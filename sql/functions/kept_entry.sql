-- duet.kept_entry: the next p_limit entries of a mailbox between p_after (exclusive) and p_last_seq that are known
-- of the user: those that can be read. Where p_with_held, of one who is under a legal hold all that are there or were
-- kept aside, whatever their age.
--
-- retry    safe: reads only
-- locks    none
-- indexes  hold_pkey, mailbox_pkey (owner, seq), held_entry_pkey
create or replace function duet.kept_entry(
    p_owner bigint,
    p_after bigint,
    p_last_seq bigint,
    p_limit bigint,
    p_with_held boolean,
    p_now timestamptz
)
returns setof duet.mailbox
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_horizon constant timestamptz := message_horizon(p_now);
begin
    if not p_with_held or not exists (select from hold as h where h.owner = p_owner) then
        return query
        select m.*
        from mailbox as m
        where m.owner = p_owner and m.seq > p_after and m.seq <= p_last_seq
          and m.sent_at >= v_horizon and m.sent_at < p_now + interval '1 day'
          and (m.expires_at is null or m.expires_at > p_now)
          and not m.deleted
        order by m.seq
        limit p_limit;
        return;
    end if;

    return query
    select k.*
    from (
        (
            select m.*
            from mailbox as m
            where m.owner = p_owner and m.seq > p_after and m.seq <= p_last_seq
              and not exists (select from held_entry as e where e.owner = m.owner and e.seq = m.seq)
            order by m.seq
            limit p_limit
        )
        union all
        (
            select
                e.owner, e.seq, e.sent_at, e.peer, e.peer_seq, e.nonce, e.expires_at, e.edited_at, e.kind, e.options,
                e.outgoing, e.recalled, e.sent_by, e.client_id, e.elements, e.custom_data, e.push, e.deleted,
                e.target_seq, e.target_at, e.details
            from held_entry as e
            where e.owner = p_owner and e.seq > p_after and e.seq <= p_last_seq
            order by e.seq
            limit p_limit
        )
    ) as k
    order by k.seq
    limit p_limit;
end
$$;
