/* Legal holds: users of whose mailboxes nothing may be lost. */
#include "base/op.h"
#include "ops/user.h"

#define REASON_BYTES 1024

struct hold {
    struct text user;
    struct text reason;
    int64_t created_at;
    int64_t updated_at;
};

static const struct field hold_fields[] = {
    FIELD_TEXT(struct hold, user),
    FIELD_TEXT(struct hold, reason),
    FIELD_TIME(struct hold, created_at),
    FIELD_TIME(struct hold, updated_at),
    FIELD_END,
};

struct hold_put {
    struct text user;
    struct text reason;
};

static const struct field hold_put_fields[] = {
    FIELD_TEXT(
        struct hold_put, user, .from = IN_PATH, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_TEXT(
        struct hold_put,
        reason,
        .required = true,
        .min = 1,
        .max = REASON_BYTES,
        .multiline = true),
    FIELD_END,
};

const struct operation hold_put = {
    .name = "hold_put",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(hold_put_fields, struct hold_put),
    .out = FIELDS(hold_fields, struct hold),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
    .location = "/v1/users/{user}/hold",
};

/* ---- hold_get, hold_delete ---- */

struct hold_of {
    struct text user;
};

static const struct field hold_of_fields[] = {
    FIELD_TEXT(
        struct hold_of, user, .from = IN_PATH, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_END,
};

const struct operation hold_get = {
    .name = "hold_get",
    .lane = LANE_READER,
    .in = FIELDS(hold_of_fields, struct hold_of),
    .out = FIELDS(hold_fields, struct hold),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_HOLD_UNKNOWN, ERR_NONE},
};

const struct operation hold_delete = {
    .name = "hold_delete",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(hold_of_fields, struct hold_of),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};
