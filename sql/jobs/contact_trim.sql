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
    v_page constant integer := 1000;
    v_kept constant bigint := (select s.recent_contacts::bigint from setting as s);
    v_place bigint := bigint '0';
    v_peer bigint; -- in the midst of the contacts of v_place
    v_newest bigint[] := array[]::bigint[];
    v_owners bigint[];
    v_full bigint[] := array[]::bigint[]; -- who of a page have more than v_kept contacts
    v_reached bigint;                     -- where that page ends; 0: it was the last
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
    if v_peer is not null then
        v_full := array[v_place];
        v_reached := v_place;
    end if;

    loop
        if cardinality(v_full) = 0 then
            v_owners := array(
                select h.owner from mailbox_head as h where h.owner > v_place order by h.owner limit v_page
            );
            v_reached := coalesce(v_owners[v_page], 0);
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
            continue when cardinality(v_full) > 0;
        else
            v_place := v_full[1];
            select t.hidden, t.peer, t.newest into v_n, v_peer, v_newest
            from contact_trim_page(v_place, v_peer, v_newest, v_kept, p_now) as t;
            rows := rows + v_n;
            if v_peer is null then
                v_full := v_full[2:];
            end if;
        end if;
        if cardinality(v_full) = 0 then
            v_place := v_reached; -- 0: from the start again, which is for the next run
            exit when v_place = 0;
        end if;
        more := clock_timestamp() > v_until;
        exit when more;
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
