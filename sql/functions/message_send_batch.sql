-- duet.message_send_batch: store messages, each in the mailboxes of its receiver and (option bit 1,
-- sync_to_sender) its sender, in one transaction. All arrays have one element per item.
--
-- An item that is refused leaves the others untouched. An item that was stored before is a replay: it
-- answers with the first message and writes none. It is known again by sender, receiver and client_id for
-- as long as the message is kept, and by caller and idempotency key for 24 hours; within one batch too. A
-- replay wins over a refusal: who was blocked meanwhile still learns what became of the first message. Only a
-- token that is void learns nothing.
--
-- outcome  ok | sender_unknown | receiver_unknown | unauthenticated | blocked_by_recipient | not_friends |
--          sender_muted | idempotency_key_reused; one row per item, in the order of the items
-- retry    safe for items with a client_id or an idempotency key. On 40P01 (deadlock) and 40001 (another
--          batch took one of the keys at the same moment for other users) nothing was stored: call again
-- locks    the heads of all mailboxes, by one update in ascending order of owner; then, under them,
--          contacts and idempotency keys, each in ascending order. Contacts are only ever made under their
--          owner's head, so a plain insert does. Blocks, friendships and mutes are read before the locks:
--          a message on its way while the receiver blocks may still arrive, and a retry that overtakes it
--          just then may be refused
-- indexes  mailbox_head_pkey, contact_pkey, app_user_pkey; those of message_refusal and message_replay
create or replace function duet.message_send_batch(
    p_sender bigint[],
    p_receiver bigint[],
    p_nonce bigint[],
    p_client_id text[],
    p_elements text[],
    p_custom_data text[],
    p_push text[],
    p_store_seconds bigint[],
    p_options bigint[],
    p_sent_by text[],
    p_caller text[],
    p_idempotency_key text[],
    p_request_hash bytea[],
    p_now timestamptz default null,
    p_issued_at bigint[] default null,
    p_device text[] default null
)
returns table (
    item bigint,
    outcome text,
    replayed boolean,
    id_receiver bigint,
    id_receiver_seq bigint,
    id_sender bigint,
    id_sender_seq bigint,
    id_sent_at timestamptz,
    id_nonce bigint,
    sender_profile_nick text,
    sender_profile_avatar_url text,
    elements text,
    custom_data text,
    sent_by text,
    state text,
    edited_at timestamptz
)
language plpgsql security definer
set search_path = duet, pg_temp
-- Statements are planned once, perhaps while tables are empty. With these settings each has but one plan
-- to choose: a loop over the items that probes one index. It is also what locks the heads in order.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_n constant integer := cardinality(p_sender);
    v_keys constant boolean := cardinality(array_remove(p_idempotency_key, null)) > 0;
    v_now timestamptz;

    -- Item i has two slots, one for each copy: i is the sender's, n + i the receiver's.
    v_owner constant bigint[] := p_sender || p_receiver;
    v_peer constant bigint[] := p_receiver || p_sender;
    v_slot integer[];
    v_seq bigint[];                 -- by slot; null: no copy
    v_watched bigint[];             -- owners whose entries somebody waits for; null: none
    v_first_contact integer[];      -- slots whose owner has had nothing to do with the peer yet

    v_enforced boolean;             -- some item asks for the policy
    v_retries boolean;              -- some item has a client_id
    v_twins boolean;                -- some two may have the same

    -- By item. All but the marks stay null as long as each item is simply stored.
    v_retry_mark bigint[];          -- null: cannot have been stored before
    v_special boolean := false;
    v_outcome text[];               -- null: stored now; ok: replayed
    v_twin integer[];               -- the item of this batch that this one repeats
    v_by_key boolean[];             -- its key is remembered already
    v_receiver_seq bigint[];        -- these four: the message that a replay answers with
    v_sender_seq bigint[];
    v_sent_at timestamptz[];
    v_nonce bigint[];

    v_place integer;
    v_hit record;
    v_n_keys bigint;
    v_n_taken bigint;
begin
    select
        bit_or(i.options) & 16 <> 0,
        array_agg(retry_mark(i.receiver, i.client_id)),
        count(i.client_id) > 0,
        count(i.client_id) > count(distinct retry_mark(i.receiver, i.client_id))
    into v_enforced, v_retry_mark, v_retries, v_twins
    from unnest(p_receiver, p_options, p_client_id) as i(receiver, options, client_id);

    if v_enforced then
        for v_hit in
            select r.item, r.outcome
            from message_refusal(p_sender, p_receiver, p_options, coalesce(p_now, now()), p_issued_at, p_device) as r
        loop
            v_special := true;
            v_outcome[v_hit.item] := v_hit.outcome;
        end loop;
    end if;

    if v_twins or (v_keys and v_n > 1) then
        for v_hit in
            select t.item, t.outcome, t.twin
            from message_twin(
                p_sender, p_receiver, p_client_id, p_caller, p_idempotency_key, p_request_hash
            ) as t
        loop
            continue when v_outcome[v_hit.item] = 'unauthenticated';
            v_special := true;
            v_outcome[v_hit.item] := v_hit.outcome;
            v_twin[v_hit.item] := v_hit.twin;
            if v_hit.twin is null then
                v_retry_mark[v_hit.item] := null; -- refused, whatever its client_id
            end if;
        end loop;
    end if;

    -- Lock the mailboxes and take numbers from their heads.
    with entry as (
        select s as slot, v_owner[s] as owner, (s - 1) % v_n + 1 as item
        from generate_series(1, 2 * v_n) as s
    ),
    need as materialized (
        select e.owner, array_agg(e.slot order by e.item) as slots, count(*) as n
        from entry as e
        where v_outcome[e.item] is null
          and (e.slot > v_n or p_options[e.item] & 1 <> 0)
        group by e.owner
        order by e.owner
    ),
    head as (
        update mailbox_head as h
        set last_seq = h.last_seq + need.n
        from need
        where h.owner = need.owner
        returning
            h.last_seq - need.n as base, need.slots,
            case when h.watched_until > now() then h.owner end as watched
    )
    select
        array_agg(t.slot order by t.slot),
        array_agg(t.seq order by t.slot),
        array_agg(distinct t.watched) filter (where t.watched is not null)
    into v_slot, v_seq, v_watched
    from (
        select
            unnest(head.slots) as slot,
            head.base + generate_subscripts(head.slots, 1) as seq,
            head.watched
        from head
    ) as t;

    v_now := message_time(p_now);

    -- Not all have two copies, or a user is no more.
    if cardinality(v_slot) is distinct from 2 * v_n then
        v_seq := message_spread(v_slot, v_seq, 2 * v_n);
        for v_hit in
            select
                i.item,
                case when s.owner is null then 'sender_unknown' else 'receiver_unknown' end as outcome
            from unnest(p_sender, p_receiver) with ordinality as i(sender, receiver, item)
            left join mailbox_head as s on s.owner = i.sender
            left join mailbox_head as r on r.owner = i.receiver
            where s.owner is null or r.owner is null
        loop
            v_special := true;
            v_outcome[v_hit.item] := v_hit.outcome;
            v_retry_mark[v_hit.item] := null;
            v_by_key[v_hit.item] := true;
        end loop;
    end if;

    -- What was stored before.
    if v_keys then
        for v_hit in
            select k.*
            from message_key_replay(
                p_sender, p_receiver, p_caller, p_idempotency_key, p_request_hash, v_now
            ) as k
        loop
            continue when v_by_key[v_hit.item] or v_outcome[v_hit.item] = 'unauthenticated';
            v_special := true;
            v_outcome[v_hit.item] := v_hit.outcome;
            v_twin[v_hit.item] := null;
            v_retry_mark[v_hit.item] := null;
            v_by_key[v_hit.item] := true;
            v_receiver_seq[v_hit.item] := v_hit.receiver_seq;
            v_sender_seq[v_hit.item] := v_hit.sender_seq;
            v_sent_at[v_hit.item] := v_hit.sent_at;
            v_nonce[v_hit.item] := v_hit.nonce;
        end loop;
    end if;

    -- Here and below in the order of the index: neighbours find its pages in the processor's cache.
    v_first_contact := array(
        select e.slot::integer
        from (
            select * from unnest(v_owner, v_peer) with ordinality as u(owner, peer, slot)
            order by u.owner, u.peer
        ) as e
        left join contact as c on c.owner = e.owner and c.peer = e.peer
        where c.owner is null
    );

    -- Who has never heard of the sender has nothing that an item could repeat.
    if v_retries then
        foreach v_place in array v_first_contact loop
            continue when v_place <= v_n;
            v_retry_mark[v_place - v_n] := null;
        end loop;
    end if;
    if v_retries and cardinality(array_remove(v_retry_mark, null)) > 0 then
        for v_hit in
            select r.*
            from message_replay(p_sender, p_receiver, p_client_id, v_retry_mark, v_now) as r
        loop
            continue when v_outcome[v_hit.item] = 'unauthenticated';
            v_special := true;
            v_outcome[v_hit.item] := 'ok';
            v_twin[v_hit.item] := null;
            v_receiver_seq[v_hit.item] := v_hit.receiver_seq;
            v_sender_seq[v_hit.item] := v_hit.sender_seq;
            v_sent_at[v_hit.item] := v_hit.sent_at;
            v_nonce[v_hit.item] := v_hit.nonce;
        end loop;
    end if;

    -- Numbers that turned out not to be needed go back; those behind them close up.
    if v_special then
        update mailbox_head as h
        set last_seq = h.last_seq - spare.n
        from (
            select v_owner[s] as owner, count(*) as n
            from generate_series(1, 2 * v_n) as s
            where v_seq[s] is not null and v_outcome[(s - 1) % v_n + 1] is not null
            group by 1
            order by 1
        ) as spare
        where h.owner = spare.owner;

        v_seq := array(
            select case when e.kept then e.base + count(*) filter (where e.kept) over up_to_here end
            from (
                select
                    s as slot,
                    v_owner[s] as owner,
                    v_seq[s] as seq,
                    min(v_seq[s]) over (partition by v_owner[s]) - 1 as base,
                    v_seq[s] is not null and v_outcome[(s - 1) % v_n + 1] is null as kept
                from generate_series(1, 2 * v_n) as s
            ) as e
            window up_to_here as (partition by e.owner order by e.seq)
            order by e.slot
        );
    end if;

    insert into mailbox (
        owner, seq, sent_at, peer, peer_seq, nonce, expires_at, kind, options, outgoing, sent_by,
        client_id, elements, custom_data, push
    )
    select
        v_owner[s],
        v_seq[s],
        v_now,
        v_peer[s],
        coalesce(v_seq[case when s > v_n then s - v_n else s + v_n end], 0),
        p_nonce[i],
        case when p_store_seconds[i] < 604800 then v_now + p_store_seconds[i] * interval '1 second' end,
        1,
        p_options[i],
        s <= v_n,
        p_sent_by[i],
        p_client_id[i],
        p_elements[i],
        p_custom_data[i],
        p_push[i]
    from (
        select s, (s - 1) % v_n + 1 as i
        from generate_series(1, 2 * v_n) as s
        where v_seq[s] is not null
        order by v_owner[s], v_seq[s]
    ) as e;

    if cardinality(v_first_contact) > 0 then
        insert into contact (owner, peer, created_at)
        select distinct v_owner[s], v_peer[s], v_now
        from unnest(v_first_contact) as s
        where v_seq[s] is not null
        order by 1, 2;
    end if;

    if v_keys then
        with keyed as materialized (
            select distinct on (p_caller[i], p_idempotency_key[i]) i, coalesce(v_twin[i], i) as f
            from generate_series(1, v_n) as i
            where p_idempotency_key[i] is not null
              and coalesce(v_outcome[coalesce(v_twin[i], i)], 'ok') = 'ok'
              and v_by_key[i] is not true
            order by p_caller[i], p_idempotency_key[i], i
        ),
        taken as (
            insert into idempotency_key as k (
                caller, key, operation, request_hash, created_at,
                receiver, receiver_seq, sender, sender_seq, sent_at, nonce
            )
            select
                p_caller[i], p_idempotency_key[i], 'message_send', p_request_hash[i], v_now,
                p_receiver[i], coalesce(v_receiver_seq[f], v_seq[v_n + f]),
                p_sender[i], coalesce(v_sender_seq[f], v_seq[f], 0),
                coalesce(v_sent_at[f], v_now), coalesce(v_nonce[f], p_nonce[f])
            from keyed
            on conflict (caller, key) do update
            set operation = excluded.operation,
                request_hash = excluded.request_hash,
                created_at = excluded.created_at,
                receiver = excluded.receiver,
                receiver_seq = excluded.receiver_seq,
                sender = excluded.sender,
                sender_seq = excluded.sender_seq,
                sent_at = excluded.sent_at,
                nonce = excluded.nonce
            where k.created_at <= v_now - interval '24 hours'
               -- A user was deleted since, and made again.
               or k.request_hash = excluded.request_hash
                  and (k.sender, k.receiver) <> (excluded.sender, excluded.receiver)
            returning 1
        )
        select (select count(*) from keyed), (select count(*) from taken) into v_n_keys, v_n_taken;
        if v_n_taken < v_n_keys then
            raise exception 'an idempotency key was taken by another transaction'
                using errcode = 'serialization_failure';
        end if;
    end if;

    if v_watched is not null then
        perform mailbox_wake(v_watched);
    end if;

    if not v_special then
        return query
        select
            i::bigint, 'ok', false,
            p_receiver[i], v_seq[v_n + i], p_sender[i], coalesce(v_seq[i], 0), v_now, p_nonce[i],
            u.nick, u.avatar_url,
            null::text, null::text, null::text, null::text, null::timestamptz
        from generate_series(1, v_n) as i
        left join app_user as u on u.user_no = p_sender[i]
        order by i;
        return;
    end if;

    return query
    select
        i::bigint, r.outcome, r.replayed,
        case when r.outcome = 'ok' then p_receiver[i] end,
        r.receiver_seq,
        case when r.outcome = 'ok' then p_sender[i] end,
        r.sender_seq,
        r.sent_at,
        case when r.outcome = 'ok' then coalesce(v_nonce[r.f], p_nonce[r.f]) end,
        u.nick, u.avatar_url,
        case when r.replayed then coalesce(e.elements, p_elements[r.f]) end,
        e.custom_data, e.sent_by, case when r.replayed then coalesce(e.state, 'sent') end, e.edited_at
    from (
        select
            a.i,
            a.f,
            a.outcome,
            a.outcome = 'ok' and (v_twin[a.i] is not null or v_sent_at[a.f] is not null) as replayed,
            case when a.outcome = 'ok' then coalesce(v_receiver_seq[a.f], v_seq[v_n + a.f]) end
                as receiver_seq,
            case when a.outcome = 'ok' then coalesce(v_sender_seq[a.f], v_seq[a.f], 0) end
                as sender_seq,
            case when a.outcome = 'ok' then coalesce(v_sent_at[a.f], v_now) end as sent_at
        from (
            select
                i,
                coalesce(v_twin[i], i) as f,
                coalesce(v_outcome[coalesce(v_twin[i], i)], 'ok') as outcome
            from generate_series(1, v_n) as i
        ) as a
    ) as r
    left join app_user as u on u.user_no = p_sender[r.i]
    left join message_entry as e
        on e.owner = case when r.replayed then p_receiver[r.i] end
        and e.seq = r.receiver_seq
        and e.sent_at = r.sent_at
    order by r.i;
end
$$;
