-- duet.message_page: the next p_limit messages of a mailbox, with one peer or (null) with all, in the given order
-- beyond the message of number p_beyond_seq and time p_beyond_at. For message_list alone.
--
-- The order is that of days (of UTC), within a day that of numbers: what was imported lies on its own day, with
-- numbers of today. No message changes its place, so none is skipped or repeated while others are added. A day is a
-- partition, and read by itself. There is one statement for each shape, for each wants another index or direction,
-- and none may be led to sort. A peer is asked for as in conversation_unread.
--
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_peer with a peer, else mailbox_pkey
create or replace function duet.message_page(
    p_owner bigint,
    p_peer bigint,
    p_since timestamptz,
    p_until timestamptz,
    p_newest_first boolean,
    p_beyond_seq bigint,
    p_beyond_at timestamptz,
    p_limit bigint,
    p_now timestamptz
)
returns setof duet.message_entry
language plpgsql stable
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_sort = off
as $$
declare
    v_first constant timestamptz := date_trunc('day', p_since, 'UTC');
    v_last constant timestamptz := date_trunc('day', p_until, 'UTC');
    v_day timestamptz := case when p_newest_first then v_last else v_first end;
    v_beyond_seq bigint := case when p_newest_first then 9223372036854775807 else 0 end;
    v_since timestamptz;
    v_until timestamptz;
    v_left bigint := p_limit;
    v_n bigint;
begin
    if p_beyond_at is not null then
        v_day := date_trunc('day', p_beyond_at, 'UTC');
        v_beyond_seq := p_beyond_seq;
    end if;

    while v_left > 0 and v_day between v_first and v_last loop
        v_since := greatest(p_since, v_day);
        v_until := least(p_until, v_day + interval '24 hours');
        if p_peer is not null and p_newest_first then
            return query
            select e.* from message_entry as e
            where e.owner = p_owner and e.peer >= p_peer and (e.peer, e.seq) < (p_peer, v_beyond_seq)
              and e.sent_at >= v_since and e.sent_at < v_until
              and e.is_message and (e.expires_at is null or e.expires_at > p_now)
            order by e.peer desc, e.seq desc
            limit v_left;
        elsif p_peer is not null then
            return query
            select e.* from message_entry as e
            where e.owner = p_owner and e.peer <= p_peer and (e.peer, e.seq) > (p_peer, v_beyond_seq)
              and e.sent_at >= v_since and e.sent_at < v_until
              and e.is_message and (e.expires_at is null or e.expires_at > p_now)
            order by e.peer, e.seq
            limit v_left;
        elsif p_newest_first then
            return query
            select e.* from message_entry as e
            where e.owner = p_owner and e.seq < v_beyond_seq
              and e.sent_at >= v_since and e.sent_at < v_until
              and e.is_message and (e.expires_at is null or e.expires_at > p_now)
            order by e.seq desc
            limit v_left;
        else
            return query
            select e.* from message_entry as e
            where e.owner = p_owner and e.seq > v_beyond_seq
              and e.sent_at >= v_since and e.sent_at < v_until
              and e.is_message and (e.expires_at is null or e.expires_at > p_now)
            order by e.seq
            limit v_left;
        end if;
        get diagnostics v_n = row_count;
        v_left := v_left - v_n;

        if p_newest_first then
            v_day := v_day - interval '24 hours';
            v_beyond_seq := 9223372036854775807;
        else
            v_day := v_day + interval '24 hours';
            v_beyond_seq := 0;
        end if;
    end loop;
end
$$;
