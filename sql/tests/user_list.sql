begin;
\ir helpers.psql
select plan(9);

select is(count(*), 6::bigint, 'users are made')
from unnest(array['t-b', 't-a', 't-aé', U&'t-a\+10FFFF', 't-', 'T-a']) as id, lateral pg_temp.make_user(id);

select results_eq($$select id from duet.user_list('t-', null, 10)$$,
    $$select unnest(array['t-', 't-a', 't-aé', U&'t-a\+10FFFF', 't-b'])$$, 'those with the prefix come in byte order');
select results_eq($$select id from duet.user_list('t-a', null, 10)$$,
    $$select unnest(array['t-a', 't-aé', U&'t-a\+10FFFF'])$$, 'whatever follows it');
select results_eq($$select id from duet.user_list('t-', (select cursor from duet.user_list('t-', null, 2) offset 1), 2)$$,
    $$select unnest(array['t-aé', U&'t-a\+10FFFF'])$$, 'a cursor goes on behind its user');
select results_eq($$select outcome, id from duet.user_list('nobody-', null, 10)$$, $$values ('ok', null::text)$$,
    'no user is one row without an id');
select is((select count(*) from duet.user_list(null, null, 10) where id ~ '^[tT]-'), 6::bigint,
    'without a prefix all users are listed');
select results_eq('select outcome, id from duet.user_list(null, ''' || cursor || ''', 10)',
    $$values ('cursor_invalid', null::text)$$, 'no other text is a cursor: ' || cursor)
from unnest(array['xyz', 'abc', 'ff']) as cursor;

select * from finish();
rollback;
