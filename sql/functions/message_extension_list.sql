-- duet.message_extension_list: the named values on a message that were written after version p_after, in the order of
-- their writing. For p_as_user (null: a back-end service) only on the user's own messages.
--
-- A refusal, or an empty list, is one row whose key is null.
--
-- outcome  ok | message_unknown
-- retry    safe: reads only
-- locks    none
-- indexes  those of message_get; message_extension_pkey
create or replace function duet.message_extension_list(
    p_id_receiver bigint,
    p_id_receiver_seq bigint,
    p_id_sender bigint,
    p_id_sender_seq bigint,
    p_id_sent_at timestamptz,
    p_id_nonce bigint,
    p_after bigint,
    p_as_user text,
    p_now timestamptz default now()
)
returns table (outcome text, key text, value text, version bigint, latest bigint, cleared bigint)
language plpgsql stable security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_extension message_extension;
begin
    outcome := (
        message_get(
            p_id_receiver, p_id_receiver_seq, p_id_sender, p_id_sender_seq, p_id_sent_at, p_id_nonce, p_as_user, p_now
        )
    ).outcome;
    if outcome <> 'ok' then
        return next;
        return;
    end if;

    select * into v_extension from message_extension as e where e.owner = p_id_receiver and e.seq = p_id_receiver_seq;
    latest := coalesce(v_extension.version, 0);
    cleared := coalesce(v_extension.cleared, 0);
    return query
    select 'ok', p.key, p.value ->> 0, (p.value ->> 1)::bigint, latest, cleared
    from jsonb_each(v_extension.pairs) as p
    where (p.value ->> 1)::bigint > coalesce(p_after, 0)
    order by (p.value ->> 1)::bigint, p.key collate "C";

    if not found then
        return next;
    end if;
end
$$;
