-- duet.message_page: the next p_limit messages of a mailbox, with one peer or (null) with all, beyond
-- p_beyond_seq in the given order. For message_list alone.
--
-- There is one statement for each shape, for each wants another index or direction, and none may be led
-- to sort. No message is skipped or repeated while others are added: pages go by seq, which is without
-- gaps and never changes. Times serve to leave out partitions and to keep to what was asked for.
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
begin
    if p_peer is not null and p_newest_first then
        return query
        select e.* from message_entry as e
        where e.owner = p_owner and e.peer = p_peer and e.seq < p_beyond_seq
          and e.sent_at >= p_since and e.sent_at < p_until
          and e.is_message and (e.expires_at is null or e.expires_at > p_now)
        order by e.seq desc
        limit p_limit;
    elsif p_peer is not null then
        return query
        select e.* from message_entry as e
        where e.owner = p_owner and e.peer = p_peer and e.seq > p_beyond_seq
          and e.sent_at >= p_since and e.sent_at < p_until
          and e.is_message and (e.expires_at is null or e.expires_at > p_now)
        order by e.seq
        limit p_limit;
    elsif p_newest_first then
        return query
        select e.* from message_entry as e
        where e.owner = p_owner and e.seq < p_beyond_seq
          and e.sent_at >= p_since and e.sent_at < p_until
          and e.is_message and (e.expires_at is null or e.expires_at > p_now)
        order by e.seq desc
        limit p_limit;
    else
        return query
        select e.* from message_entry as e
        where e.owner = p_owner and e.seq > p_beyond_seq
          and e.sent_at >= p_since and e.sent_at < p_until
          and e.is_message and (e.expires_at is null or e.expires_at > p_now)
        order by e.seq
        limit p_limit;
    end if;
end
$$;
