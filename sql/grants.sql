-- The server's role may call these functions. It may touch no table, and no other schema.

revoke all on all tables in schema duet from public, duet_server;
revoke all on all sequences in schema duet from public, duet_server;
revoke all on all routines in schema duet from public, duet_server;
revoke all on schema duet from public;
grant usage on schema duet to duet_server;

grant execute on function
    duet.audit_add,
    duet.block_check,
    duet.block_delete,
    duet.block_get,
    duet.block_list,
    duet.block_put,
    duet.erasure_continue,
    duet.erasure_get,
    duet.audit_list,
    duet.event_list,
    duet.friend_check,
    duet.friend_delete,
    duet.friend_get,
    duet.friend_group_delete,
    duet.friend_group_list,
    duet.friend_group_put,
    duet.friend_import,
    duet.friend_list,
    duet.friend_patch,
    duet.friend_put,
    duet.friend_request_accept,
    duet.friend_request_delete,
    duet.friend_request_list,
    duet.friend_request_make,
    duet.friend_request_reject,
    duet.message_get,
    duet.message_list,
    duet.message_send_batch,
    duet.partition_make,
    duet.ready_get,
    duet.request_begin,
    duet.request_end,
    duet.schema_ready,
    duet.user_delete,
    duet.settings_get,
    duet.settings_patch,
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
    duet.user_tag_put,
    duet.user_token_make
to duet_server;
