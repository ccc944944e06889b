-- duet.settings_patch: change some settings. What p_patch does not name stays, what is null there goes back
-- to its default.
--
-- p_if_match names the state that the caller has seen: a list of entity tags, or *. A tag may have become
-- a weak one on its way, where a proxy compresses.
--
-- outcome  ok | precondition_required | precondition_failed
-- retry    safe: the state that was seen is another one then
-- locks    the row: of two who have seen the same state one changes it, the other is refused
create or replace function duet.settings_patch(
    p_if_match text,
    p_patch jsonb,
    p_now timestamptz default clock_timestamp()
)
returns duet.settings_reply
language plpgsql security definer set search_path = duet, pg_temp
as $$
declare
    -- As the columns have them; a test holds that.
    v_defaults constant jsonb := jsonb '{
        "messaging": "anyone", "roaming_days": 7, "offline_days": 7, "offline_per_contact": 100,
        "recent_contacts": 100, "recall_seconds": 120, "friends_per_user": 3000, "blocks_per_user": 1000,
        "friend_request_days": 7, "sessions": "many", "sessions_limit": 20, "attributes": []
    }';
    v settings_reply;
    v_old setting;
    v_new setting;
begin
    if p_if_match is null then
        v.outcome := 'precondition_required';
        return v;
    end if;

    select s.* into v_old from setting as s for update;
    if not exists (
        select from regexp_split_to_table(p_if_match, '\s*,\s*') as tag
        where btrim(tag) = '*' or regexp_replace(btrim(tag), '^W/', '') = '"' || v_old.version || '"'
    ) then
        v.outcome := 'precondition_failed';
        return v;
    end if;

    select r.* into v_new
    from (
        select jsonb_object_agg(p.key, coalesce(nullif(p.value, 'null'), v_defaults -> p.key)) as state
        from jsonb_each(p_patch) as p
        where v_defaults ? p.key
    ) as named, jsonb_populate_record(v_old, coalesce(named.state, '{}')) as r;

    if v_new is distinct from v_old then
        update setting as s
        set messaging = v_new.messaging,
            roaming_days = v_new.roaming_days,
            offline_days = v_new.offline_days,
            offline_per_contact = v_new.offline_per_contact,
            recent_contacts = v_new.recent_contacts,
            recall_seconds = v_new.recall_seconds,
            friends_per_user = v_new.friends_per_user,
            blocks_per_user = v_new.blocks_per_user,
            friend_request_days = v_new.friend_request_days,
            sessions = v_new.sessions,
            sessions_limit = v_new.sessions_limit,
            attributes = v_new.attributes,
            version = s.version + 1,
            updated_at = p_now;
    end if;

    return settings_get();
end
$$;
