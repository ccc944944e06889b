-- duet.archive_fetch: the next messages of the cursor that archive_open has opened.
--
-- retry    not safe: it goes on behind what it has given
-- locks    none
create or replace function duet.archive_fetch(p_limit bigint)
returns table (
    id_receiver bigint,
    id_receiver_seq bigint,
    id_sender bigint,
    id_sender_seq bigint,
    id_sent_at timestamptz,
    id_nonce bigint,
    "from" text,
    "to" text,
    kind text,
    elements text,
    custom_data text,
    sent_at timestamptz,
    sent_by text,
    sender_profile_nick text,
    sender_profile_avatar_url text,
    sender_profile_deleted boolean,
    state text,
    edited_at timestamptz,
    key text
)
language plpgsql security definer
set search_path = duet, pg_temp
-- For the sort, which the first call does.
set work_mem = '32MB'
as $$
-- What the cursor gives is seen when it runs:
-- @plpgsql_check_options: extra_warnings = false, performance_warnings = false
begin
    return query execute format('fetch %s from duet_archive', p_limit);
end
$$;
