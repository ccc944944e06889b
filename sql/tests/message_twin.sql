begin;
\ir helpers.psql
select plan(6);

create function pg_temp.twins(
    p_client_id text[],
    p_key text[] default null,
    p_hash text default '',
    p_receiver bigint[] default null
)
returns text
language sql as $$
    select coalesce(string_agg(concat_ws(' ', t.item, t.outcome, t.twin), ', ' order by t.item), '')
    from duet.message_twin(
        array_fill(1::bigint, array[cardinality(p_client_id)]),
        coalesce(p_receiver, array_fill(2::bigint, array[cardinality(p_client_id)])),
        p_client_id,
        array_fill('backend'::text, array[cardinality(p_client_id)]),
        coalesce(p_key, array_fill(null::text, array[cardinality(p_client_id)])),
        case
            when p_key is null then array_fill(null::bytea, array[cardinality(p_client_id)])
            else array(select convert_to(h, 'UTF8') from string_to_table(p_hash, null) as h)
        end
    ) as t
$$;

select is(pg_temp.twins(array[null, null]), '', 'items without any name are never twins');
select is(pg_temp.twins(array['a', 'b', 'a', 'a', 'A']), '3 ok 1, 4 ok 1', 'a client_id makes twins of the first');
select is(pg_temp.twins(array['a', 'a'], p_receiver => array[2, 3]), '', 'other receivers are no twins');
select is(pg_temp.twins(array[null, null, null, null], array['k', 'k', 'k', 'j'], '1121'),
    '2 ok 1, 3 idempotency_key_reused', 'a key makes twins of equal requests, and refuses others');
select is(pg_temp.twins(array['a', 'b', 'b'], array['k', 'k', null], '12-'),
    '2 idempotency_key_reused', 'what repeats a refused item is a message of its own');
select is(pg_temp.twins(array['a', 'a', 'a'], array[null, 'k', 'k'], '-11'),
    '2 ok 1, 3 ok 1', 'twins by key and by client_id are twins of the first of all');

select * from finish();
rollback;
