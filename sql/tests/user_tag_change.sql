begin;
\ir helpers.psql
select plan(10);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
create function pg_temp.tags(variadic p_users text[]) returns text[] language sql as $$
    select array_agg(t."user" || ':' || array_to_string(t.tags, ',')) from duet.user_tag_query(p_users) as t;
$$;

select results_eq(
    $$select outcome, "user", problem from duet.user_tag_change('[
        {"user": "t-bob", "add": ["b", "a"]}, {"user": "t-x", "add": ["a"]}, {"user": "t-ann", "add": ["a"]}]',
        '2026-01-01 00:00:00 UTC')$$,
    $$values ('ok', 't-bob', null), ('ok', 't-x', 'user_unknown'), ('ok', 't-ann', null)$$,
    'each item has its result, in order');
select is(pg_temp.tags('t-ann', 't-x', 't-bob'), array['t-ann:a', 't-x:', 't-bob:a,b'], 'what users have is told in the order asked');
select lives_ok($$select from duet.user_tag_change('[{"user": "t-bob", "remove": ["b", "none"], "add": ["b", "c"]}]',
    '2026-01-02 00:00:00 UTC')$$, 'a tag that is taken and given');
select is(pg_temp.tags('t-bob'), array['t-bob:a,b,c'], '… is there, behind those given before');

select lives_ok($$select from duet.user_tag_change('[
    {"user": "t-ann", "remove_prefixes": ["city="], "add": ["city=Kiel"]},
    {"user": "t-ann", "remove_prefixes": ["city="], "add": ["city=Bonn"]}]')$$, 'one tag of a kind, twice in a call');
select is(pg_temp.tags('t-ann'), array['t-ann:a,city=Bonn'], '… leaves the last, and the others');
select lives_ok($$select from duet.user_tag_change('[{"user": "t-ann", "remove_prefixes": ["cit_=", "A", "c%"]}]')$$,
    'a prefix is no pattern');
select is(pg_temp.tags('t-ann'), array['t-ann:a,city=Bonn'], '… and goes by the letter');

insert into duet.user_tag (owner, tag, created_at) select :ann, 'n' || i, now() from generate_series(1, 98) as i;
select results_eq(
    $$select problem from duet.user_tag_change('[
        {"user": "t-ann", "add": ["more"]}, {"user": "t-ann", "remove_prefixes": ["city="], "add": ["city=Ulm"]},
        {"user": "t-ann", "remove": ["n1"], "add": ["more"]}]')$$,
    $$values ('tags_full'), (null), (null)$$, 'there are at most 100, when the item is done');
select is((select count(*) from duet.user_tag where owner = :ann and tag in ('more', 'city=Ulm', 'n1')), 2::bigint,
    'and an item that is refused changes nothing');

select * from finish();
rollback;
