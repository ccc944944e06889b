begin;
\ir helpers.psql
select plan(11);

select results_eq(
    $$select rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, rolcanlogin
      from pg_roles where rolname in ('duet_owner', 'duet_server') order by 1$$,
    $$values ('duet_owner'::name, false, false, false, false, false, true),
             ('duet_server', false, false, false, false, false, true)$$,
    'the roles can log in and have no other power');
select is_empty($$select from pg_auth_members where member in ('duet_owner'::regrole, 'duet_server'::regrole)$$,
    'nor do they inherit any');

select results_eq(
    $$select p.proname from pg_proc as p
      where p.pronamespace = 'duet'::regnamespace and has_function_privilege('duet_server', p.oid, 'execute') order by 1$$,
    $$select * from unnest(array[
          'archive_add'::name,
          'archive_begin',
          'archive_chunk_get',
          'archive_close',
          'archive_fetch',
          'archive_get',
          'archive_list',
          'archive_next',
          'archive_open',
          'audit_add',
          'caller_is_good',
          'audit_list',
          'block_check',
          'block_delete',
          'block_get',
          'block_list',
          'block_put',
          'conversation_clear',
          'conversation_delete',
          'conversation_get',
          'conversation_group_delete',
          'conversation_group_list',
          'conversation_group_put',
          'conversation_group_rename',
          'conversation_list',
          'conversation_marked_list',
          'conversation_patch',
          'conversation_read',
          'delivery_list',
          'device_delete',
          'device_get',
          'device_list',
          'device_put',
          'erasure_continue',
          'erasure_get',
          'event_list',
          'friend_check',
          'friend_delete',
          'friend_delete_all',
          'friend_get',
          'friend_group_delete',
          'friend_group_list',
          'friend_group_put',
          'friend_import',
          'friend_list',
          'friend_patch',
          'friend_put',
          'friend_request_accept',
          'friend_request_delete',
          'friend_request_list',
          'friend_request_make',
          'friend_request_reject',
          'hold_delete',
          'hold_get',
          'hold_put',
          'job_list',
          'job_perform',
          'job_run',
          'job_watch',
          'message_batch',
          'message_delete',
          'message_edit',
          'message_extension_list',
          'message_extension_patch',
          'message_find',
          'message_get',
          'message_import',
          'message_list',
          'message_recall',
          'message_send_batch',
          'notification_cancel',
          'notification_deliver',
          'notification_get',
          'notification_list',
          'notification_pause',
          'notification_recall',
          'notification_resume',
          'notification_send',
          'partition_make',
          'position_put',
          'presence_get',
          'presence_list',
          'ready_get',
          'request_begin',
          'request_end',
          'schema_ready',
          'settings_get',
          'settings_patch',
          'stats_get',
          'stream_close',
          'stream_open',
          'stream_read',
          'stream_renew',
          'unread_get',
          'user_delete',
          'user_export',
          'user_get',
          'user_import',
          'user_kick',
          'user_list',
          'user_mute',
          'user_patch',
          'user_put',
          'user_resolve',
          'user_tag_delete',
          'user_tag_change',
          'user_tag_list',
          'user_tag_query',
          'user_tag_put',
          'user_token_make'
      ]) order by 1$$,
    'the server''s role may call exactly these functions');
select is_empty(
    $$select p.oid::regprocedure from pg_proc as p
      where p.pronamespace = 'duet'::regnamespace and has_function_privilege('duet_server', p.oid, 'execute')
        and not (p.prosecdef and p.proconfig::text ~ 'search_path')$$,
    'all of which run as their owner, with a search path of their own');
select is_empty(
    $$select c.oid::regclass, privilege from pg_class as c,
      unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as privilege
      where c.relnamespace in (select oid from pg_namespace where nspname in ('duet', 'partman', 'cron'))
        and c.relkind in ('r', 'p', 'v', 'm', 'f') and has_table_privilege('duet_server', c.oid, privilege)
        and has_schema_privilege('duet_server', c.relnamespace, 'usage')$$,
    'the server''s role may touch no table or view');
select is_empty(
    $$select c.oid::regclass from pg_class as c
      where c.relnamespace = 'duet'::regnamespace
        and (c.relkind = 'S' and has_sequence_privilege('duet_server', c.oid, 'usage, select, update')
             or c.relkind in ('r', 'p', 'v') and has_any_column_privilege('duet_server', c.oid, 'select, insert, update, references'))$$,
    'nor a column or sequence');
select is_empty(
    $$select nspname from pg_namespace
      where nspname not in ('duet', 'public', 'pg_catalog', 'information_schema')
        and nspname !~ '^pg_(toast_)?temp_' and has_schema_privilege('duet_server', oid, 'usage')
         or has_schema_privilege('duet_server', oid, 'create')$$,
    'nor enter another schema, or make anything in one');
select ok(not has_database_privilege('duet_server', current_database(), 'create, temporary'),
    'nor make schemas or temporary tables');
select is_empty(
    $$select p.oid::regprocedure from pg_proc as p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
      where p.pronamespace = 'duet'::regnamespace and a.grantee = 0$$,
    'nothing in the schema is for everybody');
select is_empty(
    $$select c.oid::regclass from pg_class as c where c.relnamespace = 'duet'::regnamespace and c.relowner <> 'duet_owner'::regrole
      union all
      select p.oid::regprocedure::oid from pg_proc as p where p.pronamespace = 'duet'::regnamespace and p.proowner <> 'duet_owner'::regrole$$,
    'all in the schema is its owner''s');

set local role duet_server;
select throws_ok('select * from duet.app_user', '42501', null, 'the server''s role is refused what it tries');

select * from finish();
rollback;
