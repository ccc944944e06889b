
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/exchange_state.h"
#include "http/reply.h"
#include "http/selection.h"
#include "http/v4/v4.h"

/* What is not to be had now may be in a second: queues drain and connections come back in less, and
 * so does a request of a caller who has made too many. */
#define RETRY_AFTER_SECONDS 1
#define REPLY_BYTES_MAX (64u << 20)
/* No status of HTTP: what nginx logs for a client that has gone before it was answered. */
#define STATUS_CLIENT_GONE 499

/* ---- the reply ---- */

static bool is_write(const struct exchange *e)
{
    return strcmp(e->method, "GET") != 0 && strcmp(e->method, "HEAD") != 0;
}

/* Repeating it cannot apply it twice: it has a key, or its method is idempotent. */
static bool is_repeatable(const struct exchange *e)
{
    return strcmp(e->method, "POST") != 0 || text_present(e->gate.idempotency_key) ||
           json_is_string(json_object_get(e->json, "client_id"));
}

static void count_and_log(const struct exchange *e, int status, const char *code)
{
    int64_t took_us = clock_mono_us() - e->begun_us;
    struct metrics *metrics = e->server->services->metrics;
    const struct operation *operation = exchange_operation(e);

    if (operation) {
        size_t index = (size_t)(e->match.route - routes);
        histogram_add(&metrics->operations[index].latency_us, &latency_bounds_us, took_us);
        atomic_fetch_add_explicit(
            &metrics->operations[index].by_status[status], 1, memory_order_relaxed);
    }
    log_event(
        LOG_INFO, "request", LOG_TEXT("request_id", e->request_id), LOG_STR("method", e->method),
        LOG_STR("operation", operation ? operation->name : NULL), LOG_STR("command", e->op.command),
        LOG_TEXT("subject", e->op.caller.subject), LOG_INT("status", status), LOG_STR("code", code),
        LOG_INT("us", took_us), LOG_INT("database_us", e->op.database_us));
}

void exchange_note_unanswered(const struct exchange *e)
{
    if (e->err.code != ERR_NONE)
        count_and_log(e, err_info(e->err.code)->status, err_info(e->err.code)->code);
    else
        count_and_log(e, STATUS_CLIENT_GONE, "client_gone");
}

static enum MHD_Result queue(struct exchange *e, struct reply *reply, struct reply_context *context)
{
    context->request_id = e->request_id;
    context->accept_encoding = e->gate.accept_encoding;
    context->rate = e->rate;
    context->content_range = e->content_range;
    context->close |= atomic_load(&e->server->services->stopping);
    e->stage = STAGE_ANSWERED;
    struct MHD_Response *response = reply_make(reply, context);
    if (!response)
        return MHD_NO;
    /* The reply has copies of all; a client may take its time to fetch it. */
    json_decref(TAKE(e->json));
    e->op.body = NULL;
    connections_phase(e->watched, CONNECTION_REPLY);
    enum MHD_Result result = MHD_queue_response(e->connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* To SDKs of /v4 a status other than 200 means the network. */
static void speak_v4(const struct exchange *e, struct reply *reply)
{
    reply->status = MHD_HTTP_OK;
    reply->content_type = v4_call.content_type;
    reply->body = v4_error_body(&e->err);
}

enum MHD_Result exchange_answer_error(struct exchange *e, bool close)
{
    const struct err_info *info = err_info(e->err.code);
    struct reply reply = {.status = info->status, .content_type = "application/problem+json"};
    struct reply_context context = {
        .allow = e->match.allow[0] ? e->match.allow : NULL,
        .close = close,
        .retry_after_s = err_is_transient(e->err.code) ? RETRY_AFTER_SECONDS : 0,
    };

    if (v4_claims(e->target))
        speak_v4(e, &reply);
    else
        reply.body = reply_problem(&e->err, e->request_id, is_write(e), is_repeatable(e));
    if (!reply.body)
        return MHD_NO;
    reply.body_size = strlen(reply.body);
    count_and_log(e, reply.status, info->code);
    return queue(e, &reply, &context);
}

static bool find_name(
    const struct fields *fields,
    const void *record,
    struct text member,
    char buffer[MESSAGE_ID_TEXT],
    struct text *ret)
{
    for (const struct field *f = fields->list; f && f->kind; f++) {
        const void *value = (const char *)record + f->offset;
        if (!text_equal(text_of(f->name), member))
            continue;
        *ret = f->kind == FIELD_KIND_MESSAGE_ID ? message_id_to_text(value, buffer)
                                                : *(const struct text *)value;
        return true;
    }
    return false;
}

/* The text of a member that names what was made: of the reply, else of the request. */
static struct text name_of(
    const struct exchange *e, struct text member, char buffer[MESSAGE_ID_TEXT])
{
    const struct operation *operation = exchange_operation(e);
    struct text name = TEXT("");

    if (!find_name(&operation->out, e->op.out, member, buffer, &name))
        find_name(&operation->in, e->op.in, member, buffer, &name);
    return name;
}

static void add_segment(struct buf *b, struct text name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c);
        if (plain)
            buf_char(b, c);
        else
            buf_printf(b, "%%%02X", (unsigned char)c);
    }
}

/* "/v1/users/{user}/friends/{peer}" with those members, percent-encoded. */
static const char *fill_location(struct exchange *e, const char *pattern)
{
    char buffer[MESSAGE_ID_TEXT];
    struct buf b = BUF(1024);

    while (*pattern) {
        const char *close = *pattern == '{' ? strchr(pattern, '}') : NULL;
        if (!close) {
            buf_char(&b, *pattern++);
            continue;
        }
        struct text member = {pattern + 1, (size_t)(close - pattern) - 1};
        add_segment(&b, name_of(e, member, buffer));
        pattern = close + 1;
    }
    const char *location = arena_text(e->arena, buf_as_text(&b)).ptr;
    buf_done(&b);
    return location;
}

/* What the request was answered with before. */
static void repeat_reply(struct exchange *e, struct reply *reply)
{
    reply->content_type = "application/json; charset=utf-8";
    reply->fixed = e->op.stored_reply;
}

static int encode_body(
    struct exchange *e,
    const struct operation *operation,
    struct reply *reply,
    struct reply_context *c)
{
    struct buf b = BUF(REPLY_BYTES_MAX);

    fields_encode(&operation->out, e->op.out, &b);
    if (b.failed) {
        buf_done(&b);
        return err_set(&e->err, ERR_INTERNAL, "the reply is too long");
    }
    if (reply->status == MHD_HTTP_CREATED && operation->location)
        c->location = fill_location(e, operation->location);
    reply->content_type = "application/json; charset=utf-8";
    reply->body = b.ptr;
    reply->body_size = b.len;
    return 0;
}

/* ---- a reply in pieces ---- */

void exchange_begin_piece(struct exchange *e)
{
    const struct settings *settings = e->server->services->settings;

    e->last_piece = e->piece;
    e->piece = arena_new();
    e->n_taken = 0;
    e->op.arena = e->piece;
    e->op.raw = TEXT_ABSENT;
    e->op.more = false;
    e->op.deadline_us = clock_mono_us() + settings->request_timeout_s * USEC_PER_SEC;
}

/* The client gets no end of the body and its connection is closed: so it sees that it has not
 * everything. */
static ssize_t break_stream(const struct exchange *e, const char *code)
{
    log_event(
        LOG_INFO, "stream_broken", LOG_TEXT("request_id", e->request_id),
        LOG_STR("operation", exchange_operation(e)->name), LOG_STR("code", code));
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* Called by libmicrohttpd when the client has room for more. */
static ssize_t read_stream(void *exchange, uint64_t position, char *ret, size_t size)
{
    struct exchange *e = exchange;

    (void)position;
    loop_goes_on(e->loop);
    if (e->stage == STAGE_DONE) {
        exchange_take_back(e);
        e->stage = STAGE_ANSWERED;
        connections_phase(e->watched, CONNECTION_REPLY);
        arena_free(e->last_piece);
        e->last_piece = NULL;
        if (e->result != 0)
            return break_stream(e, err_info(e->err.code)->code);
    }
    size_t n = e->op.raw.len - e->n_taken;
    if (n == 0 && !e->op.more)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == 0 && atomic_load(&e->server->services->stopping))
        return break_stream(e, err_info(ERR_SHUTTING_DOWN)->code);
    if (n == 0) {
        exchange_begin_piece(e);
        connections_phase(e->watched, CONNECTION_WORK);
        exchange_hand_over(e);
        return 0;
    }
    n = n < size ? n : size;
    memcpy(ret, e->op.raw.ptr + e->n_taken, n);
    e->n_taken += n;
    return (ssize_t)n;
}

/* ---- a file, or a part of it ---- */

/* -1 with e->err filled when it has no such part. */
static int answer_file(struct exchange *e, struct reply *reply, struct reply_context *context)
{
    struct file *file = &e->op.file;
    const struct selecting request = {
        .is_get = strcmp(e->method, "GET") == 0,
        .accept_encoding = e->gate.accept_encoding,
        .if_none_match = e->gate.if_none_match,
        .if_range = e->gate.if_range,
        .range = e->gate.range,
    };
    struct selection s = selection_make(&request, file);
    const struct representation *as = &file->as[s.coding];
    long long size = as->size;

    if (s.status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
        e->content_range = arena_printf(e->arena, "bytes */%lld", size);
        return err_set(&e->err, ERR_RANGE_NOT_SATISFIABLE, "it has %lld bytes", size);
    }
    if (s.status == MHD_HTTP_PARTIAL_CONTENT)
        e->content_range = arena_printf(
            e->arena, "bytes %lld-%lld/%lld", (long long)s.position, (long long)s.end - 1, size);
    file->coding = s.coding;
    file->position = s.position;
    file->end = s.end;
    reply->status = s.status;
    reply->read_size = (uint64_t)(s.end - s.position);
    reply->coding = s.coding == CODING_GZIP ? "gzip" : NULL;
    context->tag = as->etag;
    context->digest = as->digest;
    context->ranges = true;
    context->etag = true;
    context->if_none_match = e->gate.if_none_match;
    return 0;
}

/* ---- a stream of events ---- */

/* libmicrohttpd finds a dead socket, closes it, and has done with the request: see exchange_free.
 */
static enum MHD_Result give_events(struct exchange *e)
{
    struct reply_context context = {.request_id = e->request_id, .rate = e->rate};

    if (!e->op.client_fd || stream_take_socket(e->events, e->op.client_fd) != 0) {
        err_set(&e->err, ERR_OVERLOADED, "the server has no room for another stream");
        return exchange_answer_error(e, false);
    }
    e->events_head = reply_event_head(&context, e->arena);
    e->stage = STAGE_ANSWERED;
    count_and_log(e, MHD_HTTP_OK, NULL);
    return MHD_NO;
}

static bool has_list(const struct fields *fields)
{
    for (const struct field *field = fields->list; field && field->kind; field++)
        if (field->kind == FIELD_KIND_LIST)
            return true;
    return false;
}

/* The member of a reply that is a header of it, if there is one. */
static void find_own_header(
    const struct fields *fields, const void *record, struct reply_context *ret)
{
    for (const struct field *field = fields->list; field && field->kind; field++) {
        if (field->from != IN_HEADER)
            continue;
        const struct text *value = (const void *)((const char *)record + field->offset);
        ret->own_header = text_present(*value) ? field->header : NULL;
        ret->own_value = value->ptr;
    }
}

enum MHD_Result exchange_answer(struct exchange *e)
{
    const struct operation *operation = exchange_operation(e);
    struct reply reply = {.status = e->match.route->success};
    struct reply_context context = {.replayed = e->op.replayed};

    if (e->result != 0)
        return exchange_answer_error(e, false);
    if (e->events)
        return give_events(e);
    if ((reply.status == MHD_HTTP_CREATED || reply.status == MHD_HTTP_ACCEPTED) && e->op.found)
        reply.status = MHD_HTTP_OK;
    context.tag = e->op.etag;
    if (operation->stream) {
        reply.content_type = operation->content_type;
        reply.read = read_stream;
        reply.reader = e;
        if (operation->file && answer_file(e, &reply, &context) != 0)
            return exchange_answer_error(e, false);
    } else if (e->op.stored_reply.len) {
        repeat_reply(e, &reply);
    } else if (operation->content_type) {
        reply.content_type = operation->content_type;
        reply.fixed = e->op.raw;
        reply.document = e->op.document;
    } else if (operation->out.list && encode_body(e, operation, &reply, &context) != 0) {
        return exchange_answer_error(e, false);
    }
    find_own_header(&operation->out, e->op.out, &context);
    if (!is_write(e) && e->match.route->scope != SCOPE_PUBLIC && !has_list(&operation->out) &&
        !operation->stream) {
        context.etag = true;
        context.if_none_match = e->gate.if_none_match;
    }
    count_and_log(e, reply.status, NULL);
    return queue(e, &reply, &context);
}
