-- duet.offline_list: the seqs of the next p_limit entries after p_after that a device is given which was away,
-- oldest first. `skipped` is how many entries between the one before (or p_after) and this one it is not given;
-- after the last one there may be more, which the head tells.
--
-- Left out are entries older than offline_days, messages beyond the newest offline_per_contact of their peer
-- (sent and received), messages that have expired or were imported or deleted. All of them but the expired and
-- deleted stay in the history.
--
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_pkey (owner, seq), mailbox_peer
create or replace function duet.offline_list(
    p_owner bigint,
    p_after bigint,
    p_limit bigint,
    p_now timestamptz
)
returns table (seq bigint, sent_at timestamptz, skipped bigint)
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    v_since constant timestamptz := offline_horizon(p_now);
    v_entry record;
    v_floors jsonb := jsonb_build_object();
    v_before bigint := p_after;
    v_n bigint := bigint '0';
begin
    for v_entry in
        select m.seq, m.sent_at, m.peer, m.kind < 16 as is_message
        from mailbox as m
        where m.owner = p_owner and m.seq > p_after
          and m.sent_at >= v_since and m.sent_at < p_now + interval '1 day'
          and (m.expires_at is null or m.expires_at > p_now)
          and m.options & 32 = 0 and not m.deleted
        order by m.seq
    loop
        exit when v_n >= p_limit;
        if v_entry.is_message then
            if not v_floors ? v_entry.peer::text then
                v_floors := v_floors || jsonb_build_object(
                    v_entry.peer::text, offline_floor(p_owner, v_entry.peer, p_now)
                );
            end if;
            continue when v_entry.seq < (v_floors ->> v_entry.peer::text)::bigint;
        end if;
        seq := v_entry.seq;
        sent_at := v_entry.sent_at;
        skipped := v_entry.seq - v_before - 1;
        v_before := v_entry.seq;
        v_n := v_n + 1;
        return next;
    end loop;
end
$$;
