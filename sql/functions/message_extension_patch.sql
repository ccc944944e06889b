-- duet.message_extension_patch: write named values on a message, or remove those, or all of them.
--
-- p_items is a JSON array of objects: key; value, where null removes it; and version, the one that the writer has seen: an item
-- whose version is not that of the last write is not written (null: whatever it is). One row per item, in order, with
-- what stands there then and, of one not written, `problem`. A write that changes anything raises the version of the
-- message by one, whatever it writes.
--
-- The policy that would refuse p_as_user a message to the other one refuses this too: it says something new.
--
-- outcome  ok | message_unknown | message_recalled | not_extensible | extensions_full | blocked_by_recipient |
--          not_friends | sender_muted
-- retry    not safe with versions: the second time they are not those that were seen
-- locks    those of message_lock
-- indexes  those of message_lock and message_refusal; message_extension_pkey
create or replace function duet.message_extension_patch(
    p_id_receiver bigint,
    p_id_receiver_seq bigint,
    p_id_sender bigint,
    p_id_sender_seq bigint,
    p_id_sent_at timestamptz,
    p_id_nonce bigint,
    p_clear boolean,
    p_items json,
    p_as_user text,
    p_now timestamptz default null
)
returns table (outcome text, key text, value text, version bigint, problem text, latest bigint)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    c_most_pairs constant integer := 300;
    v_user bigint;
    v_lock record;
    v_item record;
    v_old jsonb;
    v_latest bigint;
    v_cleared bigint;
    v_pairs jsonb;
    v_key text[];
    v_problem text[];
begin
    -- Either user may write, so the lock is that of a back-end service, and whose message it is is looked at here.
    select * into v_lock
    from message_lock(
        p_id_receiver, p_id_receiver_seq, p_id_sender, p_id_sender_seq, p_id_sent_at, p_id_nonce, null, p_now
    );
    outcome := v_lock.outcome;
    select u.user_no into v_user
    from app_user as u
    where u.user_id = p_as_user and u.user_no in (p_id_receiver, p_id_sender);
    if outcome = 'ok' and p_as_user is not null and v_user is null then
        outcome := 'message_unknown';
    elsif outcome = 'ok' and v_lock.recalled then
        outcome := 'message_recalled';
    elsif outcome = 'ok' and not exists (
        select from mailbox as m
        where m.owner = p_id_receiver and m.seq = p_id_receiver_seq and m.sent_at = p_id_sent_at
          and m.options & 64 <> 0
    ) then
        outcome := 'not_extensible';
    elsif outcome = 'ok' and v_user is not null then
        select coalesce(min(r.outcome), 'ok') into outcome
        from message_refusal(
            array[v_user], array[p_id_receiver + p_id_sender - v_user], array[16::bigint], v_lock.at
        ) as r;
    end if;
    if outcome <> 'ok' then
        return next;
        return;
    end if;

    select e.version, e.cleared, e.pairs into v_latest, v_cleared, v_pairs
    from message_extension as e
    where e.owner = p_id_receiver and e.seq = p_id_receiver_seq;
    v_latest := coalesce(v_latest, 0);
    v_cleared := coalesce(v_cleared, 0);
    v_pairs := coalesce(v_pairs, '{}');
    v_old := v_pairs;

    if p_clear then
        v_pairs := '{}';
    end if;
    for v_item in
        select i.*
        from rows from (
            json_to_recordset(coalesce(p_items, '[]')) as (key text, value text, version bigint)
        ) with ordinality as i(key, value, version, place)
        order by i.place
    loop
        v_key[v_item.place] := v_item.key;
        if v_item.version <> coalesce((v_old -> v_item.key ->> 1)::bigint, 0) then
            v_problem[v_item.place] := 'precondition_failed';
        elsif v_item.value is null then
            v_pairs := v_pairs - v_item.key;
        else
            v_pairs := v_pairs || jsonb_build_object(v_item.key, jsonb_build_array(v_item.value, v_latest + 1));
        end if;
    end loop;
    if (select count(*) from jsonb_object_keys(v_pairs)) > c_most_pairs then
        outcome := 'extensions_full';
        return next;
        return;
    end if;

    if v_pairs <> v_old then
        v_latest := v_latest + 1;
        insert into message_extension as e (owner, seq, sent_at, version, cleared, pairs)
        values (
            p_id_receiver, p_id_receiver_seq, p_id_sent_at, v_latest,
            case when p_clear then v_latest else v_cleared end, v_pairs
        )
        on conflict (owner, seq) do update
        set version = excluded.version, cleared = excluded.cleared, pairs = excluded.pairs;
    end if;

    latest := v_latest;
    return query
    select
        'ok', k.key, v_pairs -> k.key ->> 0,
        -- What was removed carries the version of its removal.
        coalesce((v_pairs -> k.key ->> 1)::bigint, v_latest), v_problem[k.place], v_latest
    from unnest(v_key) with ordinality as k(key, place)
    order by k.place;
    if not found then
        return next;
    end if;
end
$$;
