-- What the schema stands on: roles, schemas, extensions. Run by a superuser before the migrations, on
-- each upgrade again; everything in it may be there already. All of it is one simple-protocol query.

-- Roles belong to the cluster, so another database's installation may have made them before.
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'duet_owner') then
        create role duet_owner login;
    end if;
    if not exists (select from pg_catalog.pg_roles where rolname = 'duet_server') then
        create role duet_server login;
    end if;
end
$$;

comment on role duet_owner is 'Owns schema duet; runs its scheduled jobs. Has no password.';
comment on role duet_server is 'What duetd is in the database: may call functions of schema duet, no more.';

-- The server sends these with each connection too; here they also hold for a person who tries a
-- function as this role.
alter role duet_server set statement_timeout = '5s';
alter role duet_server set lock_timeout = '2s';
alter role duet_server set idle_in_transaction_session_timeout = '10s';
alter role duet_server set synchronous_commit = on;
alter role duet_server set search_path = '';
alter role duet_server set timezone = 'UTC';
alter role duet_server set jit = off;

-- Nobody leaves objects where a function might find them in place of its own.
do $$
begin
    execute format('revoke temporary on database %I from public', pg_catalog.current_database());
end
$$;
revoke create on schema public from public;

create schema if not exists duet authorization duet_owner;
comment on schema duet is 'Duet: users, mailboxes and all that the server may call.';

-- What is new in schema duet is nobody's until grants.sql says so.
alter default privileges for role duet_owner revoke execute on routines from public;

create schema if not exists partman;
create extension if not exists pg_partman schema partman;
grant usage on schema partman to duet_owner;
grant all on all tables in schema partman to duet_owner;
grant execute on all routines in schema partman to duet_owner;

-- Without pg_cron the server itself asks for what the scheduled jobs would do.
do $$
begin
    if pg_catalog.current_setting('shared_preload_libraries') !~ '\mpg_cron\M'
       or pg_catalog.current_setting('cron.database_name', true)
          is distinct from pg_catalog.current_database()
       or not exists (select from pg_catalog.pg_available_extensions where name = 'pg_cron') then
        raise notice 'pg_cron does not serve this database: its jobs are left to the server';
        return;
    end if;
    create extension if not exists pg_cron;
    grant usage on schema cron to duet_owner;
end
$$;
