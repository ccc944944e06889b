#include "store/call.h"
#include "store/rows.h"
#include "store/store.h"

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
