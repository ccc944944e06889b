begin;
\ir helpers.psql
select plan(12);

select pg_temp.make_user('t-ann') as ann, pg_temp.make_user('t-bob') as bob \gset
select is(duet.user_tag_put('t-x', 'a'), 'user_unknown', 'who is not there gets no tag');
select is(duet.user_tag_delete('t-x', 'a'), 'user_unknown', 'nor has one to lose');
select results_eq($$select outcome, tag from duet.user_tag_list('t-x', null, 10)$$,
    $$values ('user_unknown', null::text)$$, 'nor to show');
select is(duet.user_tag_put('t-ann', tag, '2026-01-01 00:00:00 UTC'), 'ok', 'a tag is given')
from unnest(array['b', 'a', 'b']) as tag;
select results_eq($$select outcome, tag, created_at from duet.user_tag_list('t-ann', null, 10)$$,
    $$values ('ok', 'a', '2026-01-01 00:00:00 UTC'::timestamptz), ('ok', 'b', '2026-01-01 00:00:00 UTC')$$,
    'tags are listed in order, each once');
select results_eq($$select tag from duet.user_tag_list('t-ann', (select cursor from duet.user_tag_list('t-ann', null, 1)), 10)$$,
    $$values ('b')$$, 'a cursor goes on behind its tag');
insert into duet.user_tag (owner, tag, created_at) select :ann, 'n' || i, now() from generate_series(1, 98) as i;
select is(duet.user_tag_put('t-ann', 'one-more'), 'tags_full', 'there are at most 100');
select is(duet.user_tag_put('t-ann', 'a'), 'ok', 'one that is there can be given again');
select is(duet.user_tag_delete('t-ann', 'a'), 'ok', 'a tag is taken');
select results_eq($$select outcome, tag from duet.user_tag_list('t-bob', null, 10)$$,
    $$values ('ok', null::text)$$, 'others have none of them');

select * from finish();
rollback;
