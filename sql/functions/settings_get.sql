-- duet.settings_get: what may be changed while the server runs, with its entity tag.
--
-- outcome  ok
-- retry    safe: reads only
-- locks    none
create or replace function duet.settings_get()
returns duet.settings_reply
language sql stable security definer set search_path = duet, pg_temp
as $$
    select
        'ok', '"' || s.version || '"', s.messaging, s.roaming_days, s.offline_days,
        s.offline_per_contact, s.recent_contacts, s.recall_seconds, s.friends_per_user,
        s.blocks_per_user, s.friend_request_days, s.sessions, s.sessions_limit, s.attributes, s.updated_at
    from setting as s
$$;
