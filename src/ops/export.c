/* Everything that is known of a user, as one reply of any length. */
#include "base/op.h"
#include "ops/message.h"
#include "store/store.h"

struct user_export {
    struct text user;
    struct text cursor;
    struct text as_user;
};

static const struct field user_export_fields[] = {
    FIELD_TEXT(
        struct user_export,
        user,
        .from = IN_PATH,
        .required = true,
        .min = 1,
        .max = USER_ID_BYTES),
    FIELD_TEXT(struct user_export, cursor, .from = IN_STREAM),
    FIELD_TEXT(struct user_export, as_user, .from = IN_CALLER),
    FIELD_END,
};

struct export_line {
    struct text type;
    struct text rest;
    struct message message;
};

static const struct field export_line_fields[] = {
    FIELD_TEXT(struct export_line, type),
    FIELD_RAW(struct export_line, rest, .spread = true),
    FIELD_OBJECT(
        struct export_line, message, struct message, .of = &message_fields, .omit_absent = true),
    FIELD_END,
};

const struct operation user_export = {
    .name = "user_export",
    .lane = LANE_READER,
    .run = store_call_stream,
    .stream = true,
    .in = FIELDS(user_export_fields, struct user_export),
    .out = FIELDS(export_line_fields, struct export_line),
    .content_type = "application/x-ndjson",
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};
