-- duet.offline_floor: of which messages with a peer on a device is given that was away: those whose seq is not
-- below the result. It is the seq of the oldest of the newest offline_per_contact messages, sent and received;
-- 0 where there are not so many.
--
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_peer
create or replace function duet.offline_floor(p_owner bigint, p_peer bigint, p_now timestamptz)
returns bigint
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_sort = off
as $$
declare
    v_since constant timestamptz := offline_horizon(p_now);
begin
    return coalesce(
        (
            select m.seq
            from mailbox as m
            where m.owner = p_owner and m.peer <= p_peer and (m.peer, m.seq) > (p_peer, 0)
              and m.sent_at >= v_since and m.sent_at < p_now + interval '1 day'
              and m.kind < 16 and m.options & 32 = 0 and not m.deleted
              and (m.expires_at is null or m.expires_at > p_now)
            order by m.peer desc, m.seq desc -- as in conversation_unread
            offset (select s.offline_per_contact - 1 from setting as s)
            limit 1
        ),
        0
    );
end
$$;
