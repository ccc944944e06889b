-- duet.user_list: a page of all users, or of those whose id begins with p_prefix, in the order of their ids'
-- bytes, beyond the one that p_cursor names. Each row has the cursor of what comes after it. A refusal, or an
-- empty page, is one row whose id is null.
--
-- outcome  ok | cursor_invalid
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key
create or replace function duet.user_list(p_prefix text, p_cursor text, p_limit bigint)
returns table (
    outcome text,
    id text,
    nick text,
    avatar_url text,
    gender text,
    birthday text,
    language text,
    location text,
    signature text,
    level bigint,
    custom jsonb,
    friend_policy text,
    muted_until timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    cursor text
)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    v_from constant text collate "C" := coalesce(p_prefix, '');
    -- No id of 64 bytes has room for 17 of the last character there is.
    v_to constant text collate "C" := v_from || repeat(U&'\+10FFFF', 17);
    v_beyond text collate "C" := '';
begin
    if p_cursor is not null then
        begin
            v_beyond := convert_from(decode(p_cursor, 'hex'), 'UTF8');
        exception
            when invalid_parameter_value or character_not_in_repertoire or untranslatable_character then
                outcome := 'cursor_invalid';
                return next;
                return;
        end;
    end if;

    return query
    select
        'ok', e.id, e.nick, e.avatar_url, e.gender, e.birthday, e.language, e.location, e.signature,
        e.level, e.custom, e.friend_policy, e.muted_until, e.created_at, e.updated_at,
        encode(convert_to(e.id, 'UTF8'), 'hex')
    from user_entry as e
    where e.id >= v_from and e.id > v_beyond and e.id < v_to
    order by e.id
    limit p_limit;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
