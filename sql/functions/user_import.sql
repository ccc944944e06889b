-- duet.user_import: make or replace several users, each as user_put does. p_users is a JSON array of objects, with
-- `id` and the members of a profile; a user that stands there twice is replaced by the second.
--
-- One row per item, in order: status 201 or 200, or problem, the code of what is wrong with it alone.
--
-- outcome  ok; of an item: invalid_request (the birthday is no day)
-- retry    safe, as user_put is
-- locks    those of user_put, for one user after the other in ascending order of id. Where two calls meet in
--          the mailboxes of common friends, one of them may be ended (40P01): call again
-- indexes  those of user_put
create or replace function duet.user_import(p_users json)
returns table (outcome text, id text, status integer, problem text)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_item record;
    v_made record;
    v_id text[];
    v_status integer[];
    v_problem text[];
begin
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
        select p.outcome, p.created into v_made
        from user_put(
            v_item.id, v_item.nick, v_item.avatar_url, v_item.gender, v_item.birthday, v_item.language,
            v_item.location, v_item.signature, v_item.level, v_item.custom, v_item.friend_policy
        ) as p;
        v_id[v_item.place] := v_item.id;
        v_status[v_item.place] := case when v_made.created then 201 else 200 end;
        v_problem[v_item.place] := nullif(v_made.outcome, 'ok');
    end loop;

    return query
    select 'ok', r.id, r.status, r.problem
    from unnest(v_id, v_status, v_problem) with ordinality as r(id, status, problem, place)
    order by r.place;
end
$$;
