-- duet.user_tag_list: a page of a user's tags, in the order of their bytes, beyond the one that p_cursor names.
-- Each row has the cursor of what comes after it. A refusal, or an empty page, is one row whose tag is null.
--
-- outcome  ok | user_unknown | cursor_invalid
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_user_id_key, user_tag_pkey
create or replace function duet.user_tag_list(p_user text, p_cursor text, p_limit bigint)
returns table (outcome text, tag text, created_at timestamptz, cursor text)
language plpgsql stable security definer
set search_path = duet, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_owner bigint;
    v_beyond text collate "C" := '';
begin
    select u.user_no into v_owner from app_user as u where u.user_id = p_user;
    if not found then
        outcome := 'user_unknown';
        return next;
        return;
    end if;

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
    select 'ok', t.tag, t.created_at, encode(convert_to(t.tag, 'UTF8'), 'hex')
    from user_tag as t
    where t.owner = v_owner and t.tag > v_beyond
    order by t.tag
    limit p_limit;

    if not found then
        outcome := 'ok';
        return next;
    end if;
end
$$;
