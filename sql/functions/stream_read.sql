-- duet.stream_read: what is new to those who follow mailboxes: of mailbox p_owner[i] after p_after[i], as
-- `pair` i, in order; p_limit entries of each and p_rows in all at most.
--
-- They were connected when all of it came, so that they are also given what is for connected devices only. p_since
-- is a moment before which nothing of it can have been sent.
--
-- Each pair has a row at least, whose seq is null where there is nothing to show; but those that p_rows left no room
-- for have none, and are to be asked for again. last_seq is null where the user is no more. reached says up to where
-- the mailbox has been looked at, left_out how many entries up to there are not shown.
--
-- retry    safe: reads only
-- locks    none; heads and entries are read in one snapshot
-- indexes  mailbox_head_pkey, those of event_pick and event_show
create or replace function duet.stream_read(
    p_owner bigint[],
    p_after bigint[],
    p_since timestamptz,
    p_limit bigint default 32,
    p_rows bigint default 1000,
    p_now timestamptz default now()
)
returns table (
    pair bigint,
    seq bigint,
    kind text,
    at timestamptz,
    message_id_receiver bigint,
    message_id_receiver_seq bigint,
    message_id_sender bigint,
    message_id_sender_seq bigint,
    message_id_sent_at timestamptz,
    message_id_nonce bigint,
    message_from text,
    message_to text,
    message_kind text,
    message_elements text,
    message_custom_data text,
    message_sent_at timestamptz,
    message_sent_by text,
    message_sender_profile_nick text,
    message_sender_profile_avatar_url text,
    message_sender_profile_deleted boolean,
    message_state text,
    message_edited_at timestamptz,
    target_receiver bigint,
    target_receiver_seq bigint,
    target_sender bigint,
    target_sender_seq bigint,
    target_sent_at timestamptz,
    target_nonce bigint,
    peer text,
    details text,
    last_seq bigint,
    reached bigint,
    left_out bigint
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_last_seq bigint[];            -- by pair; null: the user is no more
    v_pair bigint[];                -- by entry
    v_entry message_entry[];
    v_last_pair bigint := cardinality(p_owner)::bigint;
    v_cut bigint;                   -- the pair that p_rows has cut off
begin
    v_last_seq := array(
        select h.last_seq
        from unnest(p_owner) with ordinality as o(owner, pair)
        left join mailbox_head as h on h.owner = o.owner
        order by o.pair
    );

    select array_agg(p.pair), array_agg(p.entry) into v_pair, v_entry
    from (
        select e.pair, e.entry
        from event_pick(
            p_owner, p_after, p_limit, greatest(p_since, message_horizon(p_now)), '-infinity', p_now
        ) as e
        limit p_rows
    ) as p;
    if cardinality(v_pair) = p_rows then
        v_cut := v_pair[p_rows];
        v_last_pair := v_cut;
    end if;

    return query
    with shown as materialized (
        select
            e.*,
            v_pair[e.place] as pair,
            count(*) over (partition by v_pair[e.place]) as n_shown,
            max(e.seq) over (partition by v_pair[e.place]) as newest
        from event_show(v_entry, p_now) as e
    )
    select
        p.pair, e.seq, e.kind, e.at,
        e.message_id_receiver, e.message_id_receiver_seq, e.message_id_sender, e.message_id_sender_seq,
        e.message_id_sent_at, e.message_id_nonce,
        e.message_from, e.message_to, e.message_kind, e.message_elements, e.message_custom_data,
        e.message_sent_at, e.message_sent_by, e.message_sender_profile_nick, e.message_sender_profile_avatar_url,
        e.message_sender_profile_deleted, e.message_state, e.message_edited_at,
        e.target_receiver, e.target_receiver_seq, e.target_sender, e.target_sender_seq, e.target_sent_at,
        e.target_nonce, e.peer, e.details,
        v_last_seq[p.pair], r.reached, greatest(r.reached - p_after[p.pair], 0) - coalesce(e.n_shown, 0)
    from generate_series(1::bigint, v_last_pair) as p(pair)
    left join shown as e on e.pair = p.pair
    cross join lateral (
        select case when e.n_shown = p_limit or p.pair = v_cut then e.newest else v_last_seq[p.pair] end as reached
    ) as r
    order by p.pair, e.seq;
end
$$;
