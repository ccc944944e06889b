#include "store/slices.h"

#include "base/clock.h"
#include "store/call.h"
#include "store/rows.h"

/* ---- what a deleted user owned ---- */

/* Rows that one transaction removes: some tenths of a second. */
#define ROWS_AT_ONCE 20000

static const struct statement erasure_continue = {
    .name = "erasure_continue",
    .sql = "select id, \"user\", removed, started_at, finished_at"
           " from duet.erasure_continue(p_id => $1, p_limit => $2)",
    .types = (const Oid[]){PG_TEXT, PG_INT8},
    .n_types = 2,
};

int store_erasure_continue(struct op *op, struct text id)
{
    struct params params;
    struct db_error error;
    struct row_map map;
    const char *wrong;

    params_init(&params, op->arena);
    params_text(&params, id);
    params_i64(&params, ROWS_AT_ONCE);
    db_result_auto *result = db_call_retrying(op->db, &erasure_continue, &params, &error);
    if (!result)
        return -1;
    return row_map_make(result, &op->operation->out, "", op->arena, &map, &wrong) != 0
               ? -1
               : row_read(result, 0, &op->operation->out, &map, op->arena, op->out);
}

/* ---- the messages of a conversation ---- */

/* Entries that one transaction looks at: some ten milliseconds. */
#define ENTRIES_AT_ONCE 2000

static const struct statement conversation_clear = {
    .name = "conversation_clear",
    .sql = "select after, up_to from duet.conversation_clear("
           "p_user => $1, p_peer => $2, p_after => $3, p_up_to => $4, p_limit => $5)",
    .types = (const Oid[]){PG_TEXT, PG_TEXT, PG_INT8, PG_INT8, PG_INT8},
    .n_types = 5,
};

static void bind_place(struct params *params, const PGresult *before, int column)
{
    if (before)
        params_i64(params, row_i64(before, 0, column));
    else
        params_null(params);
}

/* The slice behind the one of `before`; NULL: the first. */
static PGresult *clear_slice(
    struct op *op,
    struct text user,
    struct text peer,
    const PGresult *before,
    struct db_error *error)
{
    struct params params;

    params_init(&params, op->arena);
    params_text(&params, user);
    params_text(&params, peer);
    bind_place(&params, before, 0);
    bind_place(&params, before, 1);
    params_i64(&params, ENTRIES_AT_ONCE);
    return db_call_retrying(op->db, &conversation_clear, &params, error);
}

int store_conversation_clear(struct op *op, struct text user, struct text peer)
{
    struct db_error error;
    db_result_auto *done = clear_slice(op, user, peer, NULL, &error);

    while (done && !PQgetisnull(done, 0, 0)) {
        if (clock_mono_us() > op->deadline_us)
            return err_set(op->err, ERR_OVERLOADED, "there are more messages to remove");
        PGresult *next = clear_slice(op, user, peer, done, &error);
        PQclear(done);
        done = next;
    }
    return done ? 0 : db_error_to_err(&error, op->err);
}

int slices_check(struct db *db, char *why, size_t why_size)
{
    return statement_check(db, &erasure_continue, why, why_size) != 0
               ? -1
               : statement_check(db, &conversation_clear, why, why_size);
}
