-- duet.job_contact_trim: take conversations beyond the newest recent_contacts from the lists of all users.
-- Pinned ones stay, and do not count. A new message brings a conversation back. No row of contact is removed: sending relies
-- on them.
--
-- Goes through the mailboxes by and by, a page of them at a time, as there may be millions, with nothing to do for any;
-- and through the contacts of one, of whom a service may have as many. With each page of contacts come the newest of
-- those before; what is beyond recent_contacts even so is hidden. Looks at the clock after each page; job says where to
-- go on.
--
-- retry    safe: what is hidden stays hidden
-- locks    rows of contact, of one user after the other; passes over those that somebody else has locked
-- indexes  mailbox_head_pkey, contact_pkey, mailbox_peer
create or replace function duet.job_contact_trim(
    p_now timestamptz,
    p_rehearsal boolean,
    out rows bigint,
    out bytes bigint,
    out more boolean
)
language plpgsql
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_until constant timestamptz := clock_timestamp() + make_interval(secs => case when p_rehearsal then 2 else 0.2 end);
    v_owners_at_once constant integer := 1000;
    v_peers_at_once constant integer := 2000;
    v_kept constant bigint := (select s.recent_contacts::bigint from setting as s);
    v_place bigint := bigint '0';
    v_peer bigint;
    v_newest bigint[] := array[]::bigint[];
    v_owner bigint;
    v_owners bigint[];
    v_full bigint[];
    v_peers bigint[];
    v_n bigint;
begin
    rows := 0;
    bytes := 0;
    more := false;
    if not p_rehearsal then
        select j.place, j.place_peer, j.place_newest into v_place, v_peer, v_newest
        from job as j
        where j.name = 'contact_trim';
    end if;

    loop
        if v_peer is not null then
            v_owners := null;
            v_full := array[v_place];
        else
            v_owners := array(
                select h.owner from mailbox_head as h where h.owner > v_place order by h.owner limit v_owners_at_once
            );
            v_full := array(
                select o.owner
                from unnest(v_owners) as o(owner)
                where (
                    select count(*) from (
                        select from contact as c where c.owner = o.owner limit v_kept + 1
                    ) as c
                ) > v_kept
                order by o.owner
            );
        end if;

        foreach v_owner in array v_full loop
            v_place := v_owner;
            loop
                v_peers := array(
                    select c.peer
                    from contact as c
                    where c.owner = v_owner and c.peer > coalesce(v_peer, 0)
                    order by c.peer
                    limit v_peers_at_once
                );
                with conversation as materialized (
                    select c.peer, l.seq, row_number() over (order by l.seq desc) as rank
                    from (
                        select n.owner, n.peer, n.pinned, n.hidden_seq
                        from unnest(v_newest) as p(peer)
                        cross join lateral (
                            select o.* from contact as o where o.owner = v_owner and o.peer = p.peer limit 1
                        ) as n
                        union all
                        select o.owner, o.peer, o.pinned, o.hidden_seq
                        from contact as o
                        where o.owner = v_owner and o.peer >= v_peers[1] and o.peer <= v_peers[cardinality(v_peers)]
                    ) as c
                    cross join lateral (
                        select m.seq
                        from mailbox as m
                        where m.owner = c.owner and m.peer <= c.peer and (m.peer, m.seq) > (c.peer, c.hidden_seq)
                          and m.kind < 16
                          and m.options & 36 = 4 and not m.deleted
                          and m.sent_at >= message_horizon(p_now) and m.sent_at < p_now + interval '1 day'
                          and (m.expires_at is null or m.expires_at > p_now)
                        order by m.peer desc, m.seq desc -- as in conversation_unread
                        limit 1
                    ) as l
                    where not c.pinned
                ),
                beyond as materialized (
                    select l.place, v.seq
                    from conversation as v
                    cross join lateral (
                        select c.ctid as place
                        from contact as c
                        where c.owner = v_owner and c.peer = v.peer
                        limit 1
                        for update skip locked
                    ) as l
                    where v.rank > v_kept
                ),
                hidden as (
                    update contact as c
                    set hidden_seq = greatest(c.hidden_seq, b.seq)
                    from beyond as b
                    where c.ctid = b.place
                    returning c.peer
                )
                select (select count(*) from hidden as h), array(select v.peer from conversation as v where v.rank <= v_kept)
                into v_n, v_newest;
                rows := rows + v_n;
                v_peer := v_peers[v_peers_at_once];
                if v_peer is null then
                    v_newest := '{}';
                end if;
                more := clock_timestamp() > v_until;
                exit when more or v_peer is null;
            end loop;
            exit when more;
        end loop;
        exit when more;

        if v_owners is not null then
            -- From the start again, that is for the next run.
            v_place := coalesce(v_owners[v_owners_at_once], 0);
            more := v_place > 0 and clock_timestamp() > v_until;
            exit when more or v_place = 0;
        end if;
    end loop;

    update job as j
    set place = v_place, place_peer = v_peer, place_newest = v_newest
    where j.name = 'contact_trim';
    more := more and not p_rehearsal;
end
$$;

select duet.job_schedule(
    'contact_trim', '41 3 * * *', interval '6 hours',
    'Takes conversations beyond recent_contacts from the lists.'
);
