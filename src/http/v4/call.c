#include "http/v4/call.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "http/route.h"
#include "http/v4/state.h"
#include "ops/dispatch.h"
#include "ops/services.h"

#define ANSWER_BYTES_MAX (64u << 20) /* as a reply of /v1 */

static void release_json(void *json)
{
    json_decref(json);
}

/* ---- the end ---- */

static void write_envelope(
    const struct v4_call *c, struct buf *ret, const char *status, const char *info)
{
    bool displays = c->command->family == V4_RELATIONS || c->command->family == V4_PROFILES ||
                    c->command->family == V4_RECENT;

    buf_printf(ret, "{\"ActionStatus\":\"%s\",\"ErrorInfo\":\"%s\",\"ErrorCode\":0", status, info);
    if (displays)
        buf_text(ret, TEXT(",\"ErrorDisplay\":\"\""));
}

/* The members in the order of the table; a member that stands in no table is not shown. */
static void write_members(const struct v4_call *c, struct buf *ret)
{
    for (const struct v4_field *field = c->command->work->out; field && field->kind; field++) {
        const json_t *value = json_object_get(c->answer, field->name);
        if (!value)
            continue;
        buf_printf(ret, ",\"%s\":", field->name);
        json_write_tree(ret, value);
    }
}

static int write_answer(struct v4_call *c)
{
    struct buf b = BUF(ANSWER_BYTES_MAX);

    write_envelope(c, &b, c->status ? c->status : "OK", c->info ? c->info : "");
    write_members(c, &b);
    buf_char(&b, '}');
    arena_defer(c->op->arena, free, b.ptr);
    c->op->raw = buf_as_text(&b);
    return b.failed ? err_set(c->op->err, ERR_INTERNAL, "the answer is too long") : 0;
}

static void finish(struct v4_call *c)
{
    struct op *op = c->op;
    int result = c->failed ? -1 : write_answer(c);

    if (result != 0 && !op->err->number)
        op->err->number = v4_number(c->command->family, op->err->code);
    op->done(op, result);
}

void v4_fail(struct v4_call *c, int number, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    err_set(c->op->err, v4_code(number), "%.*s", TEXT_ARG(text_whole_characters(text_of(text))));
    c->op->err->number = number;
    c->failed = true;
}

void v4_fail_step(struct v4_call *c)
{
    *c->op->err = c->step_err;
    c->failed = true;
}

json_t *v4_owned(struct v4_call *c, json_t *takes)
{
    arena_defer(c->op->arena, release_json, takes);
    return takes;
}

/* ---- steps ---- */

/* Each step has the time of a request: a list of a thousand names does not fit into one. The call
 * as a whole ends, too: whoever asked will not wait for ever, nor will a server that stops. */
#define WHOLE_CALL 10

static int64_t step_deadline_us(const struct v4_call *c)
{
    int64_t time_us = c->op->services->settings->request_timeout_s * USEC_PER_SEC;
    int64_t of_call_us = c->op->deadline_us + (WHOLE_CALL - 1) * time_us;
    int64_t of_step_us = clock_mono_us() + time_us;

    if (atomic_load(&c->op->services->stopping))
        return c->op->deadline_us;
    return of_step_us < of_call_us ? of_step_us : of_call_us;
}

static size_t index_of(const struct operation *operation)
{
    for (size_t i = 0; i < n_routes; i++)
        if (routes[i].operation == operation)
            return i;
    return 0;
}

static struct text header_of(void *ask, const char *name)
{
    const struct v4_ask *a = ask;

    if (strcmp(name, "Idempotency-Key") == 0)
        return a->idempotency_key;
    return strcmp(name, "If-Match") == 0 ? a->if_match : TEXT_ABSENT;
}

static int decode_step(struct v4_call *c, const struct v4_ask *ask)
{
    struct op *step = &c->step;
    const struct operation *operation = step->operation;
    size_t n_path = 0, n_query = 0;

    while (n_path < sizeof(ask->path) / sizeof(ask->path[0]) &&
           text_present(ask->path[n_path].name))
        n_path++;
    /* What has no value was not asked for. */
    struct param query[sizeof(ask->query) / sizeof(ask->query[0])];
    for (size_t i = 0; i < sizeof(query) / sizeof(query[0]); i++)
        if (text_present(ask->query[i].value))
            query[n_query++] = ask->query[i];
    const struct field_source source = {
        .path = ask->path,
        .n_path = n_path,
        .query = query,
        .n_query = n_query,
        .header = header_of,
        .context = (void *)ask,
        .as_user = ask->as_user,
        .sent_by = step->caller.subject,
        .body = step->body,
        .inner = true,
    };
    step->in = arena_alloc(step->arena, operation->in.size);
    step->out = arena_alloc(step->arena, operation->out.size);
    return fields_decode(&operation->in, &source, step->arena, step->in, step->err);
}

static void step_done(struct op *step, int result);

/* The table of commands says which operations a command calls; besides them only what looks after
 * the administrator. */
static bool is_told(const struct v4_call *c, const struct operation *operation)
{
    struct text rest = text_of(c->command->operations);

    while (text_present(rest))
        if (text_equal(text_cut(&rest, ' '), text_of(operation->name)))
            return true;
    return operation == &user_get || operation == &user_put;
}

void v4_ask(
    struct v4_call *c, const struct operation *operation, const struct v4_ask *ask, v4_next *next)
{
    struct op *op = c->op;

    assert(is_told(c, operation));

    json_decref(c->step_reply);
    c->step_reply = NULL;
    err_init(&c->step_err, op->arena);
    c->step = (struct op){
        .operation = operation,
        .services = op->services,
        .arena = op->arena,
        .err = &c->step_err,
        .caller = op->caller,
        .request_id = op->request_id,
        .resource = op->resource,
        .address = op->address,
        .body = ask->body,
        .inner = true,
        .named_by_key = ask->named_by_key,
        .only_replay = ask->only_replay,
        .deadline_us = step_deadline_us(c),
        .index = index_of(operation),
        .done = step_done,
        .owner = c,
    };
    if (ask->body)
        arena_defer(op->arena, release_json, ask->body);
    c->takes_errors = ask->takes_errors;
    c->next = next;
    c->pending = true;
    decode_step(c, ask);
}

void v4_more(struct v4_call *c, v4_next *next)
{
    arena_free(c->piece);
    c->piece = arena_new();
    c->step.arena = c->piece;
    c->step.raw = TEXT_ABSENT;
    c->step.more = false;
    c->step.deadline_us =
        clock_mono_us() + c->op->services->settings->request_timeout_s * USEC_PER_SEC;
    c->takes_errors = false;
    c->next = next;
    c->pending = true;
}

static void take_step(struct v4_call *c)
{
    c->op->database_us += c->step.database_us;
    if (c->step_err.code != ERR_NONE && !c->takes_errors)
        v4_fail_step(c);
    else if (c->next)
        c->next(c);
}

/* Goes on until nothing is asked for, or until another thread has the step. Of the thread that
 * started a step and the one that ended it, whoever comes second goes on: so a step that ends at
 * once does not nest. */
static void go_on(struct v4_call *c)
{
    while (c->pending) {
        c->pending = false;
        if (c->step_err.code == ERR_NONE) {
            atomic_store(&c->turn, 0);
            op_dispatch(&c->step);
            if (atomic_exchange(&c->turn, 1) == 0)
                return;
        }
        take_step(c);
    }
    finish(c);
}

static void step_done(struct op *step, int result)
{
    struct v4_call *c = step->owner;

    (void)result; /* step_err tells */
    if (atomic_exchange(&c->turn, 1) == 0)
        return;
    take_step(c);
    go_on(c);
}

int v4_step_number(const struct v4_call *c)
{
    return c->step_err.code == ERR_NONE ? 0 : v4_number(c->command->family, c->step_err.code);
}

/* ---- one step for each of many ---- */

static void next_of_each(struct v4_call *c);

static void take_of_each(struct v4_call *c)
{
    c->each.take(c, json_array_get(c->each.items, c->each.i - 1));
    if (!c->failed)
        next_of_each(c);
}

static bool is_asked(const struct v4_ask *ask);

static void first_of_each(struct v4_call *c)
{
    struct v4_ask ask = {.takes_errors = true};

    if (c->step_err.code == ERR_NONE && c->each.then)
        c->each.then_ask(c, json_array_get(c->each.items, c->each.i - 1), &ask);
    if (is_asked(&ask))
        v4_ask(c, c->each.then, &ask, take_of_each);
    else
        take_of_each(c);
}

static bool is_asked(const struct v4_ask *ask)
{
    return ask->body || text_present(ask->path[0].name) || text_present(ask->query[0].name);
}

static void next_of_each(struct v4_call *c)
{
    while (c->each.i < json_array_size(c->each.items)) {
        struct v4_ask ask = {.takes_errors = true};
        c->each.ask(c, json_array_get(c->each.items, c->each.i++), &ask);
        if (c->failed)
            return;
        if (is_asked(&ask)) {
            v4_ask(c, c->each.operation, &ask, first_of_each);
            return;
        }
    }
    if (c->each.done)
        c->each.done(c);
}

void v4_for_each(struct v4_call *c, const struct v4_each *each)
{
    c->each = *each;
    c->each.i = 0;
    next_of_each(c);
}

/* ---- lists ---- */

static void ask_page(struct v4_call *c, struct text cursor, v4_next *next)
{
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", c->listing.user)},
        .query = {V4_PARAM("limit", TEXT("200")), V4_PARAM("cursor", cursor)}};

    v4_ask(c, c->listing.operation, &ask, next);
}

static void take_page(struct v4_call *c)
{
    struct text cursor = v4_text_in(v4_reply(c), "next_cursor");

    json_array_extend(c->listed, json_object_get(v4_reply(c), "items"));
    if (text_present(cursor))
        ask_page(c, arena_text(c->op->arena, cursor), take_page);
    else
        c->listing.done(c);
}

void v4_list_all(struct v4_call *c, const struct v4_listing *listing)
{
    c->listing = *listing;
    c->listed = v4_owned(c, json_array());
    ask_page(c, TEXT_ABSENT, take_page);
}

/* ---- results ---- */

const json_t *v4_reply(struct v4_call *c)
{
    const struct operation *operation = c->step.operation;
    buf_auto b = BUF(ANSWER_BYTES_MAX);

    if (c->step_reply || !operation->out.list || c->step_err.code != ERR_NONE)
        return c->step_reply;
    if (text_present(c->step.stored_reply))
        buf_text(&b, c->step.stored_reply);
    else
        fields_encode(&operation->out, c->step.out, &b);
    c->step_reply = b.failed ? NULL : json_loadb(b.ptr, b.len, 0, NULL);
    if (!c->step_reply) { /* not to be taken for a reply that says nothing */
        err_set(&c->step_err, ERR_INTERNAL, "the reply cannot be read");
        v4_fail_step(c);
    }
    return c->step_reply;
}

const void *v4_out(const struct v4_call *c, const char *name)
{
    for (const struct field *f = c->step.operation->out.list; f->kind; f++)
        if (strcmp(f->name, name) == 0)
            return (const char *)c->step.out + f->offset;
    return NULL;
}

void v4_answer(struct v4_call *c, const char *name, json_t *takes)
{
    json_object_set_new(c->answer, name, takes);
}

static json_t *list_of(struct v4_call *c, const char *name)
{
    json_t *list = json_object_get(c->answer, name);

    if (list)
        return list;
    list = json_array();
    v4_answer(c, name, list);
    return list;
}

json_t *v4_result(struct v4_call *c, const char *list, const char *user, int number)
{
    json_t *entry = json_pack(
        "{s:s, s:i, s:s}", "To_Account", user, "ResultCode", number, "ResultInfo",
        number ? err_info(v4_code(number))->title : "");

    json_array_append_new(list_of(c, list), entry);
    if (number)
        json_array_append_new(list_of(c, "Fail_Account"), json_string(user));
    return entry;
}

/* ---- the beginning ---- */

static void release_call(void *call)
{
    struct v4_call *c = call;

    json_decref(c->answer);
    json_decref(c->step_reply);
    arena_free(c->piece);
}

static void begin(struct v4_call *c)
{
    if (v4_check(c, c->command->work->in, c->request))
        c->command->work->begin(c);
}

/* An administrator's account is made with its first call, as it is there from the beginning for
 * whoever comes from elsewhere. */
static void take_made_administrator(struct v4_call *c)
{
    v4_vouch(c->op->services->v4, &c->op->caller);
    begin(c);
}

static void take_administrator(struct v4_call *c)
{
    if (c->step_err.code == ERR_USER_UNKNOWN) {
        const struct v4_ask ask = {
            .path = {V4_PARAM("user", c->op->caller.subject)}, .body = json_object()};
        v4_ask(c, &user_put, &ask, take_made_administrator);
        return;
    }
    if (c->step_err.code != ERR_NONE) {
        v4_fail_step(c);
        return;
    }
    take_made_administrator(c);
}

/* Whether the signature was made void since is asked of the database once a second. */
static void check_administrator(struct v4_call *c)
{
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", c->op->caller.subject)}, .takes_errors = true};

    if (v4_is_vouched(c->op->services->v4, &c->op->caller))
        begin(c);
    else
        v4_ask(c, &user_get, &ask, take_administrator);
}

/* No body at all is for the front door to refuse, one that is no JSON for the service. */
static int parse(struct v4_call *c, struct text body)
{
    json_t *request = NULL;
    struct err *err = c->op->err;
    enum v4_family family = body.len ? c->command->family : V4_FRONT;

    if (fields_parse_json(body, &request, err) != 0) {
        err->number = v4_number(family, err->code);
        return -1;
    }
    c->request = v4_owned(c, request);
    return 0;
}

static int v4_call_decode(struct op *op, const struct field_source *source, struct text body)
{
    struct v4_call *c = arena_alloc(op->arena, sizeof(*c));

    op->in = c;
    c->op = op;
    c->command = v4_find_command(source->path[0].value, source->path[1].value);
    if (!c->command)
        return err_set(op->err, ERR_ROUTE_UNKNOWN, "there is no such command here");
    op->command = arena_printf(op->arena, "%s/%s", c->command->service, c->command->name);
    c->host = source->header(source->context, "Host");
    c->answer = json_object();
    arena_defer(op->arena, release_call, c);
    return parse(c, body);
}

static int v4_call_run(struct op *op)
{
    struct v4_call *c = op->in;

    check_administrator(c);
    go_on(c);
    return 0;
}

const struct operation v4_call = {
    .name = "v4_call",
    .lane = LANE_CHAIN,
    .decode = v4_call_decode,
    .run = v4_call_run,
    .audit = true, /* its steps are in the audit */
    .content_type = "application/json; charset=utf-8",
};
