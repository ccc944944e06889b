-- duet.message_page: the next p_limit messages of a mailbox, with one peer or (null) with all, in the given order
-- beyond the message of number p_beyond_seq and time p_beyond_at. For message_list alone.
--
-- The order is that of days (of UTC), within a day that of numbers: what was imported lies on its own day, with
-- numbers of today. No message changes its place, so none is skipped or repeated while others are added. A day is a
-- partition, and read by itself. There is one statement for each shape, for each wants another index or direction,
-- and none may be led to sort. A peer is asked for as in conversation_unread.
--
-- No call looks at more than 10,000 entries, however many of them are removed, expired or no messages. A page that
-- could not be filled so ends with a row of seq and sent_at alone, behind which to go on.
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
    v_to_look_at bigint := bigint '10000';
    v_day_entries refcursor;
    v_entry message_entry;
    v_mark message_entry;
begin
    if p_beyond_at is not null then
        v_day := date_trunc('day', p_beyond_at, 'UTC');
        v_beyond_seq := p_beyond_seq;
    end if;

    while v_left > 0 and v_to_look_at > 0 and v_day between v_first and v_last loop
        v_since := greatest(p_since, v_day);
        v_until := least(p_until, v_day + interval '24 hours');
        if p_peer is not null and p_newest_first then
            open v_day_entries for
            select e.* from message_entry as e
            where e.owner = p_owner and e.peer >= p_peer and (e.peer, e.seq) < (p_peer, v_beyond_seq)
              and e.sent_at >= v_since and e.sent_at < v_until
            order by e.peer desc, e.seq desc
            limit v_to_look_at;
        elsif p_peer is not null then
            open v_day_entries for
            select e.* from message_entry as e
            where e.owner = p_owner and e.peer <= p_peer and (e.peer, e.seq) > (p_peer, v_beyond_seq)
              and e.sent_at >= v_since and e.sent_at < v_until
            order by e.peer, e.seq
            limit v_to_look_at;
        elsif p_newest_first then
            open v_day_entries for
            select e.* from message_entry as e
            where e.owner = p_owner and e.seq < v_beyond_seq
              and e.sent_at >= v_since and e.sent_at < v_until
            order by e.seq desc
            limit v_to_look_at;
        else
            open v_day_entries for
            select e.* from message_entry as e
            where e.owner = p_owner and e.seq > v_beyond_seq
              and e.sent_at >= v_since and e.sent_at < v_until
            order by e.seq
            limit v_to_look_at;
        end if;
        loop
            fetch v_day_entries into v_entry;
            exit when not found;
            v_mark.seq := v_entry.seq;
            v_mark.sent_at := v_entry.sent_at;
            v_to_look_at := v_to_look_at - 1;
            continue when not v_entry.is_message or v_entry.expires_at <= p_now;
            return next v_entry;
            v_left := v_left - 1;
            exit when v_left = 0;
        end loop;
        close v_day_entries;

        if p_newest_first then
            v_day := v_day - interval '24 hours';
            v_beyond_seq := 9223372036854775807;
        else
            v_day := v_day + interval '24 hours';
            v_beyond_seq := 0;
        end if;
    end loop;
    if v_left > 0 and v_to_look_at = 0 then
        return next v_mark;
    end if;
end
$$;
