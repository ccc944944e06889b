-- duet.user_import: make or replace several users, each as user_put does. p_users is a JSON array of objects, with
-- `id` and the members of a profile; a user that stands there twice is replaced by the second.
--
-- The devices of those whose nick or avatar has changed, and of their friends, are told by a job within minutes:
-- hundreds of thousands of mailboxes may have to be locked for it.
--
-- One row per item, in order: status 201 or 200, or the code of what is wrong with it alone.
--
-- outcome  ok; of an item: invalid_request (the birthday is no day)
-- retry    safe, as user_put is
-- locks    those of user_store, in ascending order of id; then rows of profile_change, in ascending order
-- indexes  app_user_user_id_key, profile_change_pkey, those of user_store
create or replace function duet.user_import(p_users json)
returns table (outcome text, id text, status integer, code text)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_item record;
    v_made record;
    v_id text[];
    v_status integer[];
    v_code text[];
    v_changed bigint[];
begin
    -- In order of id, those who are there and those who are made: none waits for one whom another has passed.
    for v_item in
        select i.*
        from rows from (
            json_to_recordset(p_users) as (
                id text, nick text, avatar_url text, gender text, birthday text, language text,
                location text, signature text, level bigint, custom jsonb, friend_policy text
            )
        ) with ordinality as i(
            id, nick, avatar_url, gender, birthday, language,
            location, signature, level, custom, friend_policy, place
        )
        order by i.id collate "C", i.place
    loop
        select s.* into v_made
        from user_store(
            v_item.id, v_item.nick, v_item.avatar_url, v_item.gender, v_item.birthday, v_item.language,
            v_item.location, v_item.signature, v_item.level, v_item.custom, v_item.friend_policy
        ) as s;
        v_id[v_item.place] := v_item.id;
        v_status[v_item.place] := case when v_made.created then 201 else 200 end;
        v_code[v_item.place] := nullif(v_made.outcome, 'ok');
        if v_made.changed then
            v_changed := v_changed || v_made.user_no;
        end if;
    end loop;

    insert into profile_change (user_no, changed_at)
    select distinct c, now() from unnest(v_changed) as c order by c
    -- Not "do nothing", which locks no row: the job could announce what was there before, and take the row with it.
    on conflict (user_no) do update set changed_at = excluded.changed_at;

    return query
    select 'ok', r.id, r.status, r.code
    from unnest(v_id, v_status, v_code) with ordinality as r(id, status, code, place)
    order by r.place;
end
$$;
