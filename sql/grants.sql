-- The server's role may call these functions. It may touch no table, and no other schema.

revoke all on all tables in schema duet from public, duet_server;
revoke all on all sequences in schema duet from public, duet_server;
revoke all on all routines in schema duet from public, duet_server;
revoke all on schema duet from public;
grant usage on schema duet to duet_server;

grant execute on function
    duet.audit_add,
    duet.event_list,
    duet.message_get,
    duet.message_list,
    duet.message_send_batch,
    duet.notification_cancel,
    duet.notification_deliver,
    duet.notification_get,
    duet.notification_list,
    duet.notification_pause,
    duet.notification_recall,
    duet.notification_resume,
    duet.notification_send,
    duet.partition_make,
    duet.ready_get,
    duet.request_begin,
    duet.request_end,
    duet.schema_ready,
    duet.user_get,
    duet.user_put,
    duet.user_resolve
to duet_server;
