/* The log of a mailbox, as devices follow it. */
#include "base/op.h"
#include "ops/message.h"
#include "store/store.h"

struct event {
    int64_t seq;
    struct text kind;
    int64_t at;
    struct message message;
    struct message_id message_id; /* where the message itself cannot be shown */
    struct text peer;
    struct text details; /* JSON */
};

static const char *const event_kinds[] = {
    "message",
    "message_edited",
    "message_recalled",
    "message_deleted",
    "read",
    "peer_read",
    "friend_added",
    "friend_changed",
    "friend_removed",
    "friend_requested",
    "friend_request_closed",
    "block_added",
    "block_removed",
    "profile",
    "conversation",
    "kicked",
    "notification",
    NULL};

static const struct field event_list_of_fields[] = {
    FIELD_INT(struct event, seq),
    FIELD_TEXT(struct event, kind, .one_of = event_kinds),
    FIELD_TIME(struct event, at),
    FIELD_OBJECT(struct event, message, struct message, .of = &message_fields, .omit_absent = true),
    FIELD_MESSAGE_ID(struct event, message_id, .column = "target", .omit_absent = true),
    FIELD_TEXT(struct event, peer, .omit_absent = true),
    FIELD_RAW(struct event, details, .omit_absent = true),
    FIELD_END,
};

static const struct fields event_fields = FIELDS(event_list_of_fields, struct event);

struct event_list {
    struct text user;
    int64_t after;
    int64_t limit;
};

static const struct field event_list_fields[] = {
    FIELD_TEXT(
        struct event_list, user, .from = IN_PATH, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_INT(struct event_list, after, .from = IN_QUERY, .has_fallback = true),
    FIELD_INT(
        struct event_list,
        limit,
        .from = IN_QUERY,
        .min = 1,
        .max = 200,
        .fallback = 50,
        .has_fallback = true),
    FIELD_END,
};

struct event_page {
    struct list items;
    int64_t last_seq;
    int64_t skipped;
};

static const struct field event_page_fields[] = {
    FIELD_LIST(struct event_page, items, .of = &event_fields),
    FIELD_INT(struct event_page, last_seq),
    FIELD_INT(struct event_page, skipped),
    FIELD_END,
};

const struct operation event_list = {
    .name = "event_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(event_list_fields, struct event_list),
    .out = FIELDS(event_page_fields, struct event_page),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};
