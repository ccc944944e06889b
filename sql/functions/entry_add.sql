-- duet.entry_add: append one entry that is no message to each of some mailboxes, which the caller has locked
-- by mailbox_lock. A mailbox that is no more is passed over. Who waits for one is told.
--
-- p_owner, p_peer and p_target_seq have one element per entry; no owner twice. p_details is a JSON object.
--
-- retry    not safe: call it once in a transaction
-- locks    the heads (they are held already)
-- indexes  mailbox_head_pkey
create or replace function duet.entry_add(
    p_owner bigint[],
    p_peer bigint[],
    p_kind integer,
    p_now timestamptz,
    p_details text default null,
    p_target_seq bigint[] default null,
    p_target_at timestamptz default null
)
returns void
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v_watched bigint[];
begin
    with entry as materialized (
        select * from unnest(p_owner, p_peer, p_target_seq) as e(owner, peer, target_seq) order by e.owner
    ),
    head as (
        update mailbox_head as h
        set last_seq = h.last_seq + 1
        from entry as e
        where h.owner = e.owner
        returning h.owner, h.last_seq, e.peer, e.target_seq, h.watched_until > now() as watched
    ),
    added as (
        insert into mailbox (
            owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, target_seq, target_at, details
        )
        select
            head.owner, head.last_seq, p_now, head.peer, 0, 0, p_kind, 0, false, head.target_seq,
            case when head.target_seq is not null then p_target_at end, p_details
        from head
    )
    select array(select h.owner from head as h where h.watched) into v_watched;
    perform mailbox_wake(v_watched);
end
$$;
