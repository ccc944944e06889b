/* Deleted users: gone at once, what they owned piece by piece, and a receipt of it. */
#include "base/clock.h"
#include "base/op.h"
#include "ops/user.h"
#include "store/slices.h"
#include "store/store.h"

/* A reader thread is lent for so long; what is left then is the scheduled job's. */
#define AT_ONCE_US USEC_PER_SEC

struct erasure {
    struct text id;
    struct text user;
    struct text removed; /* JSON: rows by table */
    int64_t started_at;
    int64_t finished_at;
};

static const struct field erasure_fields[] = {
    FIELD_TEXT(struct erasure, id),          FIELD_TEXT(struct erasure, user),
    FIELD_RAW(struct erasure, removed),      FIELD_TIME(struct erasure, started_at),
    FIELD_TIME(struct erasure, finished_at), FIELD_END,
};

/* ---- user_delete ---- */

struct user_delete {
    struct text user;
};

static const struct field user_delete_fields[] = {
    FIELD_USER(struct user_delete),
    FIELD_END,
};

/* The user is gone after the first call. What cannot be removed now is left to the scheduled job,
 * so that no failure after the first call is one of the request. */
static int user_delete_run(struct op *op)
{
    const struct erasure *out = op->out;
    int result = store_call_one(op);

    if (result != 0)
        return result;
    int64_t until = clock_mono_us() + AT_ONCE_US;
    while (out->finished_at == FIELD_ABSENT && clock_mono_us() < until)
        if (store_erasure_continue(op, out->id) != 0)
            break;
    return 0;
}

const struct operation user_delete = {
    .name = "user_delete",
    .lane = LANE_READER,
    .run = user_delete_run,
    .audit = true,
    .in = FIELDS(user_delete_fields, struct user_delete),
    .out = FIELDS(erasure_fields, struct erasure),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_USER_HELD, ERR_NONE},
};

/* ---- erasure_get ---- */

struct erasure_get {
    struct text id;
};

static const struct field erasure_get_fields[] = {
    FIELD_TEXT(struct erasure_get, id, .from = IN_PATH, .required = true, .min = 1, .max = 32),
    FIELD_END,
};

const struct operation erasure_get = {
    .name = "erasure_get",
    .lane = LANE_READER,
    .in = FIELDS(erasure_get_fields, struct erasure_get),
    .out = FIELDS(erasure_fields, struct erasure),
    .refuses = (const enum err_code[]){ERR_ERASURE_UNKNOWN, ERR_NONE},
};
