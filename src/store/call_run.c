/* Calls made, and their rows read into replies: the store_call_* of store/store.h. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/call.h"
#include "store/rows.h"
#include "store/store.h"

/* ---- calling ---- */

/* The title of an error says what is wrong with a field, but for that of any wrong field. */
static const char *detail_of(const struct op *op, enum err_code code)
{
    return code == ERR_INVALID_REQUEST && op->operation->invalid ? op->operation->invalid
                                                                 : err_info(code)->title;
}

/* The error of an outcome; of a field, where the function says which. */
static int refuse(struct op *op, const PGresult *result, struct text outcome)
{
    int column = PQfnumber(result, "pointer");
    struct text pointer = column >= 0 ? row_text(result, 0, column, op->arena) : TEXT_ABSENT;
    enum err_code code = err_from_code(outcome);

    return code && text_present(pointer)
               ? err_field(op->err, code, pointer.ptr, "%s", detail_of(op, code))
               : err_outcome(op->err, outcome);
}

static PGresult *call_database(
    struct op *op,
    const struct statement *statement,
    const struct params *params,
    struct db_error *error)
{
    if (call_is_rehearsal(op))
        return db_call_undone(op->db, statement, params, error);
    /* Within a transaction whoever began it tries again. */
    return op->db_error ? db_call(op->db, statement, params, error)
                        : db_call_retrying(op->db, statement, params, error);
}

/* The result of the operation's call; NULL with op->err filled when the call failed or was refused,
 * with *op->db_error filled when it failed within a transaction. */
static PGresult *call_operation(struct op *op)
{
    const struct call *call = op->call;
    struct params params;
    struct db_error own = {DB_FAULT_NONE, ""};
    struct db_error *error = op->db_error ? op->db_error : &own;

    params_init(&params, op->arena);
    call_bind(op, &params);
    int64_t begun = clock_mono_us();
    PGresult *result = call_database(op, &call->statement, &params, error);
    op->database_us += clock_mono_us() - begun;
    if (!result) {
        if (!op->db_error)
            db_error_to_err(error, op->err);
        return NULL;
    }
    int column = PQfnumber(result, "outcome");
    /* Each function gives a row at least. */
    struct text outcome =
        PQntuples(result) ? row_text(result, 0, column, op->arena) : TEXT("unauthenticated");
    if (text_equal(outcome, TEXT("ok")))
        return result;
    refuse(op, result, outcome);
    PQclear(result);
    return NULL;
}

static int read_broken(struct op *op)
{
    struct db_error *error = op->db_error;

    if (error)
        error->fault = DB_FAULT_REFUSED; /* within a transaction, which is rolled back */
    else
        op->err->outcome = ERR_OUTCOME_UNKNOWN;
    return err_set(op->err, ERR_INTERNAL, "the database gave what cannot be read");
}

int store_call_one(struct op *op)
{
    struct row_map map;
    const char *wrong;
    db_result_auto *result = call_operation(op);

    if (!result)
        return -1;
    if (PQntuples(result) != 1 ||
        row_map_make(result, &op->operation->out, "", op->arena, &map, &wrong) != 0 ||
        row_read(result, 0, &op->operation->out, &map, op->arena, op->out) != 0)
        return read_broken(op);
    int created = PQfnumber(result, "created");
    op->found = created >= 0 && !row_bool(result, 0, created);
    int etag = PQfnumber(result, "etag");
    if (etag >= 0)
        op->etag = row_text(result, 0, etag, op->arena);
    return 0;
}

/* Asks for one row more than the page holds: whether it comes tells whether there is a next page.
 */
static size_t ask_for_one_more(struct op *op)
{
    const struct field *limit = field_named(&op->operation->in, "limit");
    int64_t *value = (int64_t *)(void *)((char *)op->in + limit->offset);

    return (size_t)(*value)++;
}

static int read_list(
    struct op *op, const PGresult *result, const struct field *field, size_t n_rows)
{
    struct list *list = (struct list *)(void *)((char *)op->out + field->offset);
    struct row_map map;
    const char *wrong;

    if (row_map_make(result, field->of, "", op->arena, &map, &wrong) != 0)
        return read_broken(op);
    if (n_rows && PQgetisnull(result, (int)n_rows - 1, map.columns[0]))
        n_rows--; /* the end of the list, and no item of it */
    char *items = arena_alloc(op->arena, n_rows * field->of->size);
    for (size_t i = 0; i < n_rows; i++)
        if (row_read(result, (int)i, field->of, &map, op->arena, items + i * field->of->size) != 0)
            return read_broken(op);
    *list = (struct list){.items = items, .n_items = n_rows};
    return 0;
}

/* Whether there may be more behind the first n rows of the result: others came, or the last is no
 * item but tells where to go on. */
static bool goes_on(const struct op *op, size_t n, size_t n_came)
{
    const struct field *field = field_list(&op->operation->out);
    const struct list *list =
        (const struct list *)(const void *)((const char *)op->out + field->offset);

    return n_came > n || (n && list->n_items < n);
}

int store_call_rows(struct op *op)
{
    const struct fields *out = &op->operation->out;
    const struct field *next_cursor = field_named(out, "next_cursor");
    struct row_map map;
    const char *wrong;
    size_t limit = next_cursor ? ask_for_one_more(op) : SIZE_MAX;

    db_result_auto *result = call_operation(op);
    if (!result)
        return -1;
    size_t n_rows = (size_t)PQntuples(result);
    if (row_map_make(result, out, "", op->arena, &map, &wrong) != 0 ||
        (n_rows && row_read(result, 0, out, &map, op->arena, op->out) != 0))
        return read_broken(op);
    if (n_rows > limit)
        n_rows = limit;
    if (read_list(op, result, field_list(out), n_rows) != 0)
        return -1;
    if (next_cursor && goes_on(op, n_rows, (size_t)PQntuples(result))) {
        struct text cursor =
            row_text(result, (int)n_rows - 1, PQfnumber(result, "cursor"), op->arena);
        memcpy((char *)op->out + next_cursor->offset, &cursor, sizeof(cursor));
    }
    return 0;
}

/* ---- replies of any length ---- */

/* Beyond what any function gives at once: a row more than its limit of bytes. */
#define PIECE_BYTES_MAX (4u << 20)

static int write_lines(
    struct op *op, const PGresult *result, struct arena *scratch, struct buf *ret)
{
    const struct fields *out = &op->operation->out;
    struct row_map map;
    const char *wrong;

    if (row_map_make(result, out, "", scratch, &map, &wrong) != 0)
        return -1;
    for (int row = 0; row < PQntuples(result); row++)
        if (row_write_line(result, row, out, &map, scratch, ret) != 0)
            return -1;
    return 0;
}

int store_call_stream(struct op *op)
{
    const struct field *cursor = field_named(&op->operation->in, "cursor");
    struct buf lines = BUF(PIECE_BYTES_MAX);

    db_result_auto *result = call_operation(op);
    if (!result)
        return -1;
    struct arena *scratch = arena_new();
    int written = write_lines(op, result, scratch, &lines);
    arena_free(scratch);
    arena_defer(op->arena, free, lines.ptr);
    if (written != 0)
        return read_broken(op);
    op->raw = buf_as_text(&lines);
    int last = PQntuples(result) - 1;
    struct text next =
        last < 0 ? TEXT_ABSENT : row_text(result, last, PQfnumber(result, "cursor"), op->arena);
    memcpy((char *)op->in + cursor->offset, &next, sizeof(next));
    op->more = text_present(next);
    return 0;
}
