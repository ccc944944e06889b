#include "store/call.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/rows.h"
#include "store/store.h"

/* ---- the statement, from the table ---- */

#define SQL_BYTES_MAX 8192

struct making {
    struct buf *sql;
    Oid types[PARAMS_MAX];
    int n;
    int n_before; /* parameters that are not the function's */
};

static Oid type_of(enum field_kind kind)
{
    switch (kind) {
    case FIELD_KIND_BOOL:
        return PG_BOOL;
    case FIELD_KIND_INT:
        return PG_INT8;
    case FIELD_KIND_REAL:
        return PG_FLOAT8;
    case FIELD_KIND_TIME:
        return PG_TIMESTAMPTZ;
    case FIELD_KIND_MAP:
        return PG_JSONB;
    case FIELD_KIND_LIST:
        return PG_JSON;
    case FIELD_KIND_TEXTS:
        return PG_TEXT_ARRAY;
    case FIELD_KIND_TEXT:
    case FIELD_KIND_JSON:
    case FIELD_KIND_VARIANTS:
    case FIELD_KIND_RAW:
    case FIELD_KIND_MESSAGE_ID:
    case FIELD_KIND_OBJECT:
    case FIELD_KIND_END:
        break;
    }
    return PG_TEXT;
}

static void add_argument(
    struct making *m, const char *prefix, const char *name, const char *part, Oid type)
{
    m->types[m->n++] = type;
    buf_printf(
        m->sql, "%sp_%s%s%s => $%d", m->n - m->n_before > 1 ? ", " : "", prefix, name, part, m->n);
}

/* Whether the field has a parameter of its own. */
static bool is_argument(const struct operation *operation, const struct field *field)
{
    return !field->not_column && !(operation->merge_patch && field->from == IN_BODY);
}

static void add_arguments(
    struct making *m,
    const struct operation *operation,
    const struct fields *fields,
    const char *prefix)
{
    for (const struct field *field = fields->list; field->kind; field++) {
        if (!is_argument(operation, field))
            continue;
        if (field->kind == FIELD_KIND_OBJECT) {
            char nested[128];
            snprintf(nested, sizeof(nested), "%s%s_", prefix, field->name);
            add_arguments(m, operation, field->of, nested);
        } else if (field->kind == FIELD_KIND_MESSAGE_ID) {
            add_argument(m, prefix, field->name, "_receiver", PG_INT8);
            add_argument(m, prefix, field->name, "_receiver_seq", PG_INT8);
            add_argument(m, prefix, field->name, "_sender", PG_INT8);
            add_argument(m, prefix, field->name, "_sender_seq", PG_INT8);
            add_argument(m, prefix, field->name, "_sent_at", PG_TIMESTAMPTZ);
            add_argument(m, prefix, field->name, "_nonce", PG_INT8);
        } else {
            add_argument(m, prefix, field->name, "", type_of(field->kind));
        }
    }
}

/* A user token that is void by now gets no row: the function is not called. */
static void add_call(struct making *m, const struct operation *operation)
{
    m->types[m->n++] = PG_TEXT;
    m->types[m->n++] = PG_TIMESTAMPTZ;
    m->types[m->n++] = PG_TEXT;
    m->n_before = m->n;
    buf_printf(
        m->sql,
        "select called.* from duet.caller_is_good(p_user => $1, p_issued_at => $2, p_device => $3)"
        " as good, "
        "lateral duet.%s(",
        operation->name);
    if (operation->in.list)
        add_arguments(m, operation, &operation->in, "");
    if (operation->merge_patch)
        add_argument(m, "", "patch", "", PG_JSONB);
    buf_text(m->sql, TEXT(") as called where good"));
}

/* What audit_add is told besides the outcome; bound by bind_audit in this order. */
static const char *const audit_arguments[] = {"subject",  "key_id",       "address",   "operation",
                                              "resource", "on_behalf_of", "request_id"};
#define AUDIT_ARGUMENTS (sizeof(audit_arguments) / sizeof(audit_arguments[0]))

/* One statement, so one transaction and one way to the database and back. The call is in a CTE that
 * is computed first, because the audit asks for its outcome. */
static void add_audited_call(struct making *m, const struct operation *operation)
{
    buf_text(m->sql, TEXT("with called as materialized ("));
    add_call(m, operation);
    buf_text(m->sql, TEXT("), audited as materialized (select duet.audit_add("));
    for (size_t i = 0; i < AUDIT_ARGUMENTS; i++) {
        m->types[m->n++] = PG_TEXT;
        buf_printf(m->sql, "p_%s => $%d, ", audit_arguments[i], m->n);
    }
    buf_text(
        m->sql, TEXT("p_outcome => (select outcome from called limit 1))) "
                     "select called.* from called, audited"));
}

void call_make(const struct operation *operation, struct arena *arena, struct call *ret)
{
    buf_auto sql = BUF(SQL_BYTES_MAX);
    struct making m = {.sql = &sql};

    if (operation->audit)
        add_audited_call(&m, operation);
    else
        add_call(&m, operation);
    ret->operation = operation;
    ret->statement = (struct statement){
        .name = operation->name,
        .sql = arena_text(arena, buf_as_text(&sql)).ptr,
        .types = arena_copy(arena, m.types, sizeof(Oid) * (size_t)m.n),
        .n_types = m.n,
    };
}

/* ---- the fit, looked at once at start ---- */

static const struct field *list_field(const struct fields *out)
{
    for (const struct field *field = out->list; field && field->kind; field++)
        if (field->kind == FIELD_KIND_LIST)
            return field;
    return NULL;
}

static int check_columns(
    const struct operation *operation,
    const PGresult *described,
    struct arena *arena,
    const char **wrong)
{
    struct row_map map;
    const struct field *list = list_field(&operation->out);

    if (operation->out.list &&
        row_map_make(described, &operation->out, "", arena, &map, wrong) != 0)
        return -1;
    if (list && row_map_make(described, list->of, "", arena, &map, wrong) != 0)
        return -1;
    *wrong = "cursor";
    if (operation->stream && !operation->file && PQfnumber(described, "cursor") < 0)
        return -1;
    *wrong = "outcome";
    return PQfnumber(described, "outcome") >= 0 ? 0 : -1;
}

int statement_check(struct db *db, const struct statement *s, char *why, size_t why_size)
{
    db_result_auto *prepared = PQprepare(db_handle(db), "", s->sql, s->n_types, s->types);

    if (PQresultStatus(prepared) == PGRES_COMMAND_OK)
        return 0;
    snprintf(
        why, why_size, "The database does not fit this program: duet.%s: %s", s->name,
        PQresultErrorMessage(prepared));
    return -1;
}

static void tell_wrong(const struct statement *s, const char *column, char *why, size_t why_size)
{
    snprintf(
        why, why_size,
        "The database does not fit this program: duet.%s has no column %s of the right type.",
        s->name, column);
}

int statement_check_rows(
    struct db *db,
    const struct statement *s,
    const struct fields *fields,
    char *why,
    size_t why_size)
{
    struct row_map map;
    const char *wrong = NULL;

    if (statement_check(db, s, why, why_size) != 0)
        return -1;
    db_result_auto *described = PQdescribePrepared(db_handle(db), "");
    struct arena *arena = arena_new();
    int result = row_map_make(described, fields, "", arena, &map, &wrong);
    if (result != 0)
        tell_wrong(s, wrong, why, why_size);
    arena_free(arena);
    return result;
}

int call_check(struct db *db, const struct call *call, char *why, size_t why_size)
{
    const struct statement *s = &call->statement;
    const char *wrong = NULL;

    if (statement_check(db, s, why, why_size) != 0)
        return -1;
    db_result_auto *described = PQdescribePrepared(db_handle(db), "");
    struct arena *arena = arena_new();
    int result = check_columns(call->operation, described, arena, &wrong);
    if (result != 0)
        tell_wrong(s, wrong, why, why_size);
    arena_free(arena);
    return result;
}

/* ---- the arguments ---- */

static void bind_message_id(struct params *params, const struct message_id *id)
{
    params_i64(params, id->receiver);
    params_i64(params, id->receiver_seq);
    params_i64(params, id->sender);
    params_i64(params, id->sender_seq);
    params_time(params, id->sent_at);
    params_i64(params, id->nonce);
}

static struct text json_to_text(struct arena *arena, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;

    if (!text)
        return TEXT_ABSENT;
    arena_defer(arena, free, text);
    return text_of(text);
}

struct binding {
    struct params *params;
    const struct op *op;
};

static void bind_fields(const struct binding *b, const struct fields *fields, const void *record);

/* The array as it came: the table has looked at it, and SQL takes it apart. */
static void bind_list(const struct binding *b, const struct field *field)
{
    json_t *json = json_object_get(b->op->body, field->name);

    params_json(b->params, json_to_text(b->params->arena, json_is_null(json) ? NULL : json));
}

static void bind_texts(const struct binding *b, const struct list *texts)
{
    if (texts->items)
        params_text_array(b->params, texts->items, texts->n_items, PG_TEXT);
    else
        params_null(b->params);
}

static void bind_field(const struct binding *b, const struct field *field, const void *value)
{
    struct params *params = b->params;
    int64_t number;

    switch (field->kind) {
    case FIELD_KIND_TEXT:
    case FIELD_KIND_RAW:
        params_text(params, *(const struct text *)value);
        return;
    case FIELD_KIND_BOOL:
        params_bool(params, *(const bool *)value);
        return;
    case FIELD_KIND_INT:
    case FIELD_KIND_TIME:
        number = *(const int64_t *)value;
        if (number == FIELD_ABSENT)
            params_null(params);
        else if (field->kind == FIELD_KIND_INT)
            params_i64(params, number);
        else
            params_time(params, number);
        return;
    case FIELD_KIND_REAL:
        params_real(params, *(const double *)value);
        return;
    case FIELD_KIND_MAP:
        params_json(params, json_to_text(params->arena, *(json_t *const *)value));
        return;
    case FIELD_KIND_JSON:
    case FIELD_KIND_VARIANTS:
        params_text(params, json_to_text(params->arena, *(json_t *const *)value));
        return;
    case FIELD_KIND_MESSAGE_ID:
        bind_message_id(params, value);
        return;
    case FIELD_KIND_OBJECT:
        bind_fields(b, field->of, value);
        return;
    case FIELD_KIND_LIST:
        bind_list(b, field);
        return;
    case FIELD_KIND_TEXTS:
        bind_texts(b, value);
        return;
    case FIELD_KIND_END:
        return;
    }
}

static void bind_fields(const struct binding *b, const struct fields *fields, const void *record)
{
    for (const struct field *field = fields->list; field && field->kind; field++)
        if (is_argument(b->op->operation, field))
            bind_field(b, field, (const char *)record + field->offset);
}

static const struct field *find_field(const struct fields *fields, const char *name)
{
    for (const struct field *field = fields->list; field && field->kind; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

/* The user whom the call is about: the one of the path, or who is written in whose name. */
static struct text on_behalf_of(const struct op *op)
{
    const struct field *field = find_field(&op->operation->in, "user");

    if (!field)
        field = find_field(&op->operation->in, "from");
    return field && field->kind == FIELD_KIND_TEXT
               ? *(const struct text *)(const void *)((const char *)op->in + field->offset)
               : TEXT_ABSENT;
}

/* In the order of audit_arguments. A user's own token leaves no trace: its subject stays null. */
static void bind_audit(struct params *params, const struct op *op)
{
    params_text(params, caller_is_user(&op->caller) ? TEXT_ABSENT : op->caller.subject);
    params_text(params, op->caller.key_id);
    params_text(params, op->address);
    params_text(params, text_of(op->operation->name));
    params_text(params, op->resource);
    params_text(params, on_behalf_of(op));
    params_text(params, op->request_id);
}

static void bind_call(struct params *params, const struct op *op)
{
    const struct binding b = {params, op};

    params_text(params, caller_is_user(&op->caller) ? op->caller.subject : TEXT_ABSENT);
    params_time(params, op->caller.issued_at_us);
    params_text(params, op->caller.device);
    bind_fields(&b, &op->operation->in, op->in);
    if (op->operation->merge_patch)
        params_json(params, json_to_text(params->arena, op->body));
    if (op->operation->audit)
        bind_audit(params, op);
}

/* ---- calling ---- */

bool call_is_rehearsal(const struct op *op)
{
    const struct field *field = find_field(&op->operation->in, "validate_only");

    return field && *(const bool *)((const char *)op->in + field->offset);
}

/* The error of an outcome; of a field, where the function says which. */
static int refuse(struct op *op, const PGresult *result, struct text outcome)
{
    int column = PQfnumber(result, "pointer");
    struct text pointer = column >= 0 ? row_text(result, 0, column, op->arena) : TEXT_ABSENT;
    enum err_code code = err_from_code(outcome);

    if (!code)
        return err_plain(op->err, ERR_INTERNAL);
    return text_present(pointer)
               ? err_field(op->err, code, pointer.ptr, "%s", err_info(code)->title)
               : err_plain(op->err, code);
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
    bind_call(&params, op);
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
    const struct field *limit = find_field(&op->operation->in, "limit");
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
    *list = (struct list){items, n_rows};
    return 0;
}

/* Whether there may be more behind the first n rows of the result: others came, or the last is no
 * item but tells where to go on. */
static bool goes_on(const struct op *op, size_t n, size_t n_came)
{
    const struct field *field = list_field(&op->operation->out);
    const struct list *list =
        (const struct list *)(const void *)((const char *)op->out + field->offset);

    return n_came > n || (n && list->n_items < n);
}

int store_call_rows(struct op *op)
{
    const struct fields *out = &op->operation->out;
    const struct field *next_cursor = find_field(out, "next_cursor");
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
    if (read_list(op, result, list_field(out), n_rows) != 0)
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
    const struct field *cursor = find_field(&op->operation->in, "cursor");
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
