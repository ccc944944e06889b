-- duet.block_delete: p_user takes messages from p_peer again.
--
-- outcome  ok (also where there was no block) | user_unknown
-- retry    safe
-- locks    both mailboxes
-- indexes  those of relation_lock, contact_pkey
create or replace function duet.block_delete(
    p_user text,
    p_peer text,
    p_now timestamptz default null,
    out outcome text,
    out pointer text
)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_peer bigint;
begin
    select l.outcome, l.pointer, l.owner_no, l.peer_no into outcome, pointer, v_owner, v_peer
    from relation_lock(p_user, p_peer) as l;
    if outcome <> 'ok' then
        return;
    end if;

    update contact as c
    set blocked = false, blocked_at = null
    where c.owner = v_owner and c.peer = v_peer and c.blocked;
    if found then
        perform entry_add(array[v_owner], array[v_peer], 27, coalesce(p_now, clock_timestamp()));
    end if;
end
$$;
