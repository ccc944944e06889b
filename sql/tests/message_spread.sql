begin;
\ir helpers.psql
select plan(2);

select is(duet.message_spread(array[2, 5], array[20, 50]::bigint[], 5), array[null, 20, null, null, 50]::bigint[],
    'numbers go to their slots');
select is(duet.message_spread(null, null, 2), array[null, null]::bigint[], 'no numbers leave all slots empty');

select * from finish();
rollback;
