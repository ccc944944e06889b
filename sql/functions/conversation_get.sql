-- duet.conversation_get: one conversation of p_user, as conversation_list shows it. Any two users have one, though
-- there may be nothing in it yet.
--
-- outcome  ok | user_unknown (pointer: which of them)
-- retry    safe: reads only
-- locks    none
-- indexes  those of user_pair and conversation_page
create or replace function duet.conversation_get(
    p_user text,
    p_peer text,
    p_now timestamptz default now()
)
returns duet.conversation_reply
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
declare
    v conversation_reply;
    v_owner bigint;
    v_peer bigint;
begin
    select p.outcome, p.pointer, p.owner_no, p.peer_no into v.outcome, v.pointer, v_owner, v_peer
    from user_pair(p_user, p_peer) as p;
    if v.outcome <> 'ok' then
        return v;
    end if;

    select c.* into v from conversation_page(v_owner, array[v_peer], p_now) as c;
    if not found then
        v.outcome := 'user_unknown'; -- gone in the meantime
    end if;
    return v;
end
$$;
