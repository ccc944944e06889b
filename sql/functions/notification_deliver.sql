-- duet.notification_deliver: bring the next slice of the notification whose turn it is to at most p_limit users,
-- or tell the devices of as many of a recall. One call is one transaction: who is served, and that they are,
-- is kept both or neither, so that a crash leaves nobody out and serves nobody twice.
--
-- Users are served in ascending order of their numbers, which is the order in which mailboxes are locked. What
-- runs longer than the others' turn comes after them. Two callers never work on one notification: the second
-- takes another, or none.
--
-- Where there is a rate, a slice serves a tenth of a second's worth of users, or one, and its turn comes again when
-- they have had their time. It may look at more, as few of them may be meant; where it has found nobody, its turn
-- comes after the others'.
--
-- notification  the one worked on; null: nothing is due
-- looked_at     how many users were looked at
-- served        how many of them were written to
--
-- retry    safe: what was done is done, the next call goes on behind it
-- locks    the notification's row, which others skip; then the heads of all users of the slice, by one update
--          in ascending order of owner, as message_send_batch does. On 55P03 and 40P01 nothing was done
-- indexes  notification_due, those of notification_page, mailbox_head_pkey, contact_pkey
create or replace function duet.notification_deliver(
    p_limit bigint,
    p_now timestamptz default null,
    out notification bigint,
    out looked_at bigint,
    out served bigint
)
language plpgsql security definer
set search_path = duet, pg_temp
-- A slice that must wait is given up and tried again smaller: it holds mailboxes meanwhile.
set lock_timeout = '30ms'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_begun constant timestamptz := coalesce(p_now, clock_timestamp());
    v_now timestamptz;
    v duet.notification;
    v_limit bigint := p_limit; -- of users to look at
    v_most bigint := p_limit; -- of users to serve
    v_page bigint[];
    v_owner bigint[];
    v_watched bigint[];
    v_newcomers boolean;
    v_at_end boolean;
    v_n_new bigint := 0::bigint;
begin
    looked_at := 0::bigint;
    served := 0::bigint;
    select n.* into v
    from notification as n
    where n.due_at <= v_begun
    order by n.due_at
    limit 1
    for update skip locked;
    if not found then
        return;
    end if;
    notification := v.notification_no;

    if v.state = 'recalled' then
        select r.looked_at, r.served into looked_at, served
        from notification_recall_slice(v.notification_no, p_limit, p_now) as r;
        return;
    end if;

    if v.started_at is null then
        v := notification_start(v.notification_no, v_begun);
    end if;
    if v.expires_at <= v_begun then
        perform notification_finish(
            v.notification_no, case when v.position >= v.last_position then 'done' else 'expired' end, v_begun
        );
        return;
    end if;
    if v.rate_per_second is not null then
        v_most := least(p_limit, greatest(v.rate_per_second / 10, 1));
        -- Most of a page that is cut short is looked at in vain, so it is not to be long.
        v_limit := least(p_limit, greatest(v_most, 100));
    end if;

    v_newcomers := v.position >= v.last_position;
    if v_newcomers then
        v_page := notification_newcomers(v.notification_no, v_most);
        v_owner := v_page;
        v_at_end := cardinality(v_page) = 0;
    else
        -- Up to the last that may be served: whoever stands behind belongs to the next slice.
        select
            array_agg(p.user_no order by p.user_no) filter (where p.n_before < v_most),
            array_agg(p.user_no order by p.user_no) filter (where p.n_before < v_most and p.meant),
            count(*) < v_limit and count(*) = count(*) filter (where p.n_before < v_most)
        into v_page, v_owner, v_at_end
        from (
            select
                a.user_no, m.meant,
                count(*) filter (where m.meant) over (
                    order by a.user_no rows between unbounded preceding and 1 preceding
                ) as n_before
            from notification_page(
                v.users, v.tags_any, v.tags_all, v.position, v.last_position, v_limit
            ) as a
            cross join lateral (select a.chosen and a.user_no <> v.sender as meant) as m
        ) as p;
    end if;
    looked_at := coalesce(cardinality(v_page), 0)::bigint;

    if cardinality(v_owner) > 0 then
        with need as materialized (
            select o as owner from unnest(v_owner) as o order by o
        ),
        head as (
            update mailbox_head as h
            set last_seq = h.last_seq + 1
            from need
            where h.owner = need.owner
            returning h.owner, h.last_seq, h.watched_until > now() as watched
        ),
        -- After all locks are held, so that no earlier entry of a mailbox has a later time.
        locked as materialized (
            select array_agg(h.owner order by h.owner) as owners, array_agg(h.last_seq order by h.owner) as seqs,
                array_agg(h.owner) filter (where h.watched) as watched
            from head as h
        ),
        clock as materialized (
            select l.*, message_time(p_now) as now from locked as l
        ),
        entry as (
            insert into mailbox (
                owner, seq, sent_at, peer, peer_seq, nonce, expires_at, kind, options, outgoing, sent_by,
                target_seq
            )
            select
                e.owner, e.seq, c.now, v.sender, 0,
                random_nonce(),
                case when v.store_seconds < 604800 then c.now + v.store_seconds * interval '1 second' end,
                v.kind, v.options, false, v.created_by, v.notification_no
            from clock as c
            cross join lateral unnest(c.owners, c.seqs) as e(owner, seq)
            returning owner, sent_at
        )
        select array_agg(e.owner order by e.owner), max(e.sent_at), (select c.watched from clock as c)
        into v_owner, v_now, v_watched
        from entry as e;
        perform mailbox_wake(v_watched);

        insert into contact (owner, peer, created_at)
        select o, v.sender, v_now from unnest(v_owner) as o order by o
        on conflict (owner, peer) do nothing;

        served := coalesce(cardinality(v_owner), 0)::bigint;
    end if;

    if v_newcomers and served > 0 then
        insert into notification_newcomer (notification_no, user_no)
        select v.notification_no, o from unnest(v_owner) as o;
        select count(*) into v_n_new
        from unnest(v_owner) as o
        join app_user as u on u.user_no = o
        where u.created_at > v.started_at;
    end if;

    v_now := coalesce(p_now, clock_timestamp());
    update notification as n
    set position = case
            when v_newcomers then n.position
            when v_at_end then n.last_position
            else v_page[looked_at]
        end,
        delivered = n.delivered + served,
        total = greatest(n.total + v_n_new, n.delivered + served),
        -- What a pause or a crash takes is no work.
        worked = n.worked + least(greatest(v_now - coalesce(n.worked_at, v_begun), '0'), '2 seconds'),
        worked_at = v_now,
        due_at = case
            when n.rate_per_second is not null and served > 0
                then greatest(n.due_at, v_begun - interval '1 second')
                     + served * interval '1 second' / n.rate_per_second
            else v_now
        end
    where n.notification_no = v.notification_no
    returning n.* into v;

    if v_at_end then
        -- Whose making began in time may show up a little later.
        if v.include_new_users_until is null
           or v_newcomers and v_now > v.include_new_users_until + interval '10 seconds' then
            perform notification_finish(v.notification_no, 'done', v_now);
        elsif v_newcomers then
            perform notification_settle(v.notification_no, v_now);
        end if;
    end if;
end
$$;
