-- duet.job_contact_trim: take conversations beyond the newest recent_contacts from the lists of all users.
-- Pinned ones stay, and do not count. A new message brings a conversation back. No row of contact is removed: sending relies
-- on them.
--
-- Goes through the mailboxes by and by; job.place says where to go on.
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
    v_kept constant bigint := (select s.recent_contacts::bigint from setting as s);
    v_place bigint :=
        case when not p_rehearsal then (select j.place from job as j where j.name = 'contact_trim') else bigint '0' end;
    v_owner bigint;
    v_n bigint;
begin
    rows := 0;
    bytes := 0;
    loop
        v_owner := null;
        select h.owner into v_owner
        from mailbox_head as h
        where h.owner > v_place
          and (
              select count(*) from (
                  select from contact as c where c.owner = h.owner limit v_kept + 1
              ) as c
          ) > v_kept
        order by h.owner
        limit 1;
        exit when v_owner is null;
        v_place := v_owner;

        with conversation as (
            select c.peer, c.pinned, l.seq,
                   row_number() over (partition by c.pinned order by l.seq desc) as rank
            from contact as c
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
            where c.owner = v_owner
        ),
        beyond as materialized (
            select c.owner, c.peer, v.seq
            from conversation as v
            join contact as c on c.owner = v_owner and c.peer = v.peer
            where v.rank > v_kept and not v.pinned
            for update of c skip locked
        )
        update contact as c
        set hidden_seq = greatest(c.hidden_seq, b.seq)
        from beyond as b
        where c.owner = b.owner and c.peer = b.peer;
        get diagnostics v_n = row_count;
        rows := rows + v_n;
        exit when clock_timestamp() > v_until;
    end loop;

    update job as j set place = coalesce(v_owner, 0) where j.name = 'contact_trim';
    more := v_owner is not null and not p_rehearsal;
end
$$;

select duet.job_schedule(
    'contact_trim', '41 3 * * *', interval '6 hours',
    'Takes conversations beyond recent_contacts from the lists.'
);
