-- duet.user_tag_change: give tags to several users, and take tags from them. p_changes is a JSON array of objects: user,
-- remove, remove_prefixes (what begins so), add; what is to go goes first. One row per item, in order; an item that is
-- refused changes nothing.
--
-- With a prefix such as "city=" a user has one tag of a kind, whoever else gives one at the same time.
--
-- outcome  ok; problem, of an item: null | user_unknown | tags_full (the user would have more than 100)
-- retry    safe
-- locks    the users' rows, in ascending order of user_id; a user made after that is not there yet
-- indexes  app_user_user_id_key, user_tag_pkey
create or replace function duet.user_tag_change(p_changes json, p_now timestamptz default now())
returns table (outcome text, "user" text, problem text)
language plpgsql security definer set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_item record;
    v_locked bigint[];
    v_gone text[];
    v_n bigint;
begin
    outcome := 'ok';
    v_locked := array(
        select u.user_no
        from app_user as u
        where u.user_id = any (array(select c."user" from json_to_recordset(p_changes) as c("user" text)))
        order by u.user_id
        for no key update
    );

    for v_item in
        select i."user" as user_id, u.user_no, i.remove, i.remove_prefixes, coalesce(i.add, '{}') as new
        from rows from (
            json_to_recordset(p_changes) as ("user" text, remove text[], remove_prefixes text[], add text[])
        ) with ordinality as i("user", remove, remove_prefixes, add, place)
        left join app_user as u on u.user_id = i."user" and u.user_no = any (v_locked)
        order by i.place
    loop
        "user" := v_item.user_id;
        problem := null;
        v_gone := array(
            select t.tag
            from user_tag as t
            where t.owner = v_item.user_no
              and (
                  t.tag = any (v_item.remove)
                  or exists (select from unnest(v_item.remove_prefixes) as p where starts_with(t.tag, p))
              )
        );
        select count(*) into v_n
        from (
            select t.tag::text from user_tag as t where t.owner = v_item.user_no and t.tag <> all (v_gone)
            union
            select n from unnest(v_item.new) as n
        ) as t;
        if v_item.user_no is null then
            problem := 'user_unknown';
        elsif v_n > 100 then
            problem := 'tags_full';
        else
            delete from user_tag as t where t.owner = v_item.user_no and t.tag = any (v_gone);
            insert into user_tag (owner, tag, created_at)
            select v_item.user_no, n, p_now from unnest(v_item.new) as n
            on conflict do nothing;
        end if;
        return next;
    end loop;
end
$$;
