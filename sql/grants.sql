-- The server's role may call these functions. It may touch no table, and no other schema.

revoke all on all tables in schema duet from public, duet_server;
revoke all on all sequences in schema duet from public, duet_server;
revoke all on all routines in schema duet from public, duet_server;
revoke all on schema duet from public;
grant usage on schema duet to duet_server;

grant execute on function
    duet.audit_add,
    duet.audit_list,
    duet.erasure_continue,
    duet.erasure_get,
    duet.event_list,
    duet.hold_delete,
    duet.hold_get,
    duet.hold_put,
    duet.job_list,
    duet.job_perform,
    duet.job_run,
    duet.job_watch,
    duet.message_get,
    duet.message_list,
    duet.message_send_batch,
    duet.partition_make,
    duet.ready_get,
    duet.request_begin,
    duet.request_end,
    duet.schema_ready,
    duet.settings_get,
    duet.settings_patch,
    duet.user_delete,
    duet.user_export,
    duet.user_get,
    duet.user_import,
    duet.user_list,
    duet.user_mute,
    duet.user_patch,
    duet.user_put,
    duet.user_resolve,
    duet.user_tag_delete,
    duet.user_tag_list,
    duet.user_tag_put
to duet_server;
