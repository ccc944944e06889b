-- What lets users be spread over machines one day, and what any table must have.
begin;
\ir helpers.psql
select plan(7);

create temporary view own_table as
select oid, relname from pg_class
where relnamespace = 'duet'::regnamespace and relkind in ('r', 'p') and not relispartition;

select is_empty(
    $$select i.indexrelid::regclass from pg_index as i
      join pg_attribute as o on o.attrelid = i.indrelid and o.attname = 'owner'
      join pg_class as c on c.oid = i.indrelid and c.relnamespace = 'duet'::regnamespace
      where i.indkey[0] <> o.attnum
        and not pg_get_indexdef(i.indexrelid) ~
            '\(duet\.retry_mark\(owner|mailbox.* \((expires_at|sent_at)\)|message_extension.* \(sent_at\)|device.* \(seen_at\)'
         -- From a tag to its users. Each machine would have one of its own users, whom a notification asks for
         -- on each machine anyway; nothing that concerns one user goes this way.
         and i.indexrelid <> 'duet.user_tag_tag'::regclass$$,
    'owner stands first in each index of a table that has one, but from tags to users, and for times');
select is_empty(
    $$select attrelid::regclass, attname from pg_attribute
      where attrelid in (select oid from own_table) and attname in ('owner', 'peer') and atttypid <> 'bigint'::regtype$$,
    'owners and peers are of one type');
select is_empty($$select conname from pg_constraint where contype = 'f' and connamespace = 'duet'::regnamespace$$,
    'there are no foreign keys');
select is_empty(
    $$select tgname from pg_trigger where not tgisinternal and tgrelid in (select oid from own_table)$$,
    'there are no triggers');
select is_empty(
    $$select c.relname from own_table as c
      where not exists (select from pg_constraint where contype = 'p' and conrelid = c.oid) and c.relname <> 'mailbox'$$,
    'each table has a primary key (mailbox has it in its partitions)');
select is_empty(
    $$select relname from own_table where obj_description(oid, 'pg_class') is null and relname <> 'app_user'$$,
    'each table says what it is for');
select is_empty(
    $$select attrelid::regclass, attname from pg_attribute
      where attrelid in (select oid from own_table) and atttypid in ('json'::regtype, 'timestamp'::regtype, 'varchar'::regtype)$$,
    'no column has a type that is known for trouble');

select * from finish();
rollback;
