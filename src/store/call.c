#include "store/call.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/rows.h"
#include "store/store.h"

/* ---- fields ---- */

const struct field *field_named(const struct fields *fields, const char *name)
{
    for (const struct field *field = fields->list; field && field->kind; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

const struct field *field_list(const struct fields *fields)
{
    for (const struct field *field = fields->list; field && field->kind; field++)
        if (field->kind == FIELD_KIND_LIST)
            return field;
    return NULL;
}

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
static const struct {
    const char *name;
    Oid type;
} audit_arguments[] = {
    {"subject", PG_TEXT},  {"key_id", PG_TEXT},      {"address", PG_TEXT}, {"operation", PG_TEXT},
    {"resource", PG_TEXT}, {"users", PG_TEXT_ARRAY}, {"user_no", PG_INT8}, {"request_id", PG_TEXT},
};
#define AUDIT_ARGUMENTS (sizeof(audit_arguments) / sizeof(audit_arguments[0]))

/* One statement, so one transaction and one way to the database and back. The call is in a CTE that
 * is computed first, because the audit asks for its outcome. */
static void add_audited_call(struct making *m, const struct operation *operation)
{
    buf_text(m->sql, TEXT("with called as materialized ("));
    add_call(m, operation);
    buf_text(m->sql, TEXT("), audited as materialized (select duet.audit_add("));
    for (size_t i = 0; i < AUDIT_ARGUMENTS; i++) {
        m->types[m->n++] = audit_arguments[i].type;
        buf_printf(m->sql, "p_%s => $%d, ", audit_arguments[i].name, m->n);
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

static int check_columns(
    const struct operation *operation,
    const PGresult *described,
    struct arena *arena,
    const char **wrong)
{
    struct row_map map;
    const struct field *list = field_list(&operation->out);

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

/* Of a body of 1 MiB, each byte of which may need six to be written. */
#define JSON_BYTES_MAX (8u << 20)

static struct text json_to_text(struct arena *arena, json_t *json)
{
    buf_auto text = BUF(JSON_BYTES_MAX);

    if (!json)
        return TEXT_ABSENT;
    json_write_tree(&text, json);
    return arena_text(arena, buf_as_text(&text));
}

struct binding {
    struct params *params;
    const struct op *op;
};

static void bind_fields(const struct binding *b, const struct fields *fields, const void *record);

/* The array as it came: the table has looked at it, and SQL takes it apart. */
static void release_json(void *json)
{
    json_decref(json);
}

/* A list as the request has it, without what was left out; NULL where there is none. */
static json_t *members_of(const struct op *op, const struct field *field, struct arena *arena)
{
    const void *in = (const char *)op->in + field->offset;
    const struct list *list = in;
    json_t *json = json_object_get(op->body, field->name);

    if (!list->left_out)
        return json_is_null(json) ? NULL : json;
    json_t *left = json_array();
    arena_defer(arena, release_json, left);
    for (size_t i = 0; i < list->n_items; i++)
        json_array_append(left, json_array_get(json, list->places[i]));
    return left;
}

static void bind_list(const struct binding *b, const struct field *field)
{
    struct arena *arena = b->params->arena;

    params_json(b->params, json_to_text(arena, members_of(b->op, field, arena)));
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

/* What tells the user whom a call, or an item of it, is about: the first of these that is there. */
static const char *const about[] = {"user", "from", "id"};
#define N_ABOUT (sizeof(about) / sizeof(about[0]))

static const struct field *field_about(const struct fields *fields)
{
    const struct field *field = NULL;

    for (size_t i = 0; !field && i < N_ABOUT; i++)
        field = field_named(fields, about[i]);
    return field;
}

/* Of calls for several users. */
static void bind_users_of_items(struct params *params, const struct op *op)
{
    const struct field *list = field_list(&op->operation->in);
    const struct field *of_item = list ? field_about(list->of) : NULL;

    if (!of_item) {
        params_text_array(params, NULL, 0, PG_TEXT);
        return;
    }
    const json_t *items = members_of(op, list, params->arena);
    size_t n = json_array_size(items);
    struct text *users = arena_alloc(params->arena, n * sizeof(*users));

    for (size_t i = 0; i < n; i++)
        users[i] =
            text_of(json_string_value(json_object_get(json_array_get(items, i), of_item->name)));
    params_text_array(params, users, n, PG_TEXT);
}

/* On whose behalf a call is made: the user of its path or in whose name is written, or the sender
 * of its message, or those whom its items are about. */
static void bind_on_behalf_of(struct params *params, const struct op *op)
{
    const struct field *field = field_about(&op->operation->in);
    const void *value = field ? (const char *)op->in + field->offset : NULL;

    if (field && field->kind == FIELD_KIND_TEXT)
        params_text_array(params, value, 1, PG_TEXT);
    else
        bind_users_of_items(params, op);
    if (field && field->kind == FIELD_KIND_MESSAGE_ID)
        params_i64(params, ((const struct message_id *)value)->sender);
    else
        params_null(params);
}

/* In the order of audit_arguments. A user's own token leaves no trace: its subject stays null. */
static void bind_audit(struct params *params, const struct op *op)
{
    params_text(params, caller_is_user(&op->caller) ? TEXT_ABSENT : op->caller.subject);
    params_text(params, op->caller.key_id);
    params_text(params, op->address);
    params_text(params, text_of(op->operation->name));
    params_text(params, op->resource);
    bind_on_behalf_of(params, op);
    params_text(params, op->request_id);
}

void call_bind_caller(const struct op *op, struct params *params)
{
    bool revocable = caller_is_user(&op->caller) || op->caller.revocable;

    params_text(params, revocable ? op->caller.subject : TEXT_ABSENT);
    params_time(params, op->caller.issued_at_us);
    params_text(params, op->caller.device);
}

void call_bind(const struct op *op, struct params *params)
{
    const struct binding b = {params, op};

    call_bind_caller(op, params);
    bind_fields(&b, &op->operation->in, op->in);
    if (op->operation->merge_patch)
        params_json(params, json_to_text(params->arena, op->body));
    if (op->operation->audit)
        bind_audit(params, op);
}

bool call_is_rehearsal(const struct op *op)
{
    const struct field *field = field_named(&op->operation->in, "validate_only");

    return field && *(const bool *)((const char *)op->in + field->offset);
}
