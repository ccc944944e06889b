#include "http/exchange.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/gate.h"
#include "http/reply.h"
#include "http/router.h"
#include "http/selection.h"
#include "http/streams.h"
#include "http/v4/v4.h"
#include "ops/dispatch.h"

#define BODY_BYTES_MAX (INT64_C(1) << 20)
/* What is not to be had now may be in a second: queues drain and connections come back in less, and
 * so does a request of a caller who has made too many. */
#define RETRY_AFTER_SECONDS 1
#define REPLY_BYTES_MAX (64u << 20)

enum stage {
    STAGE_HEAD,      /* libmicrohttpd has the head; nothing was looked at */
    STAGE_BODY,      /* the head was allowed; the body, if any, is arriving */
    STAGE_SUSPENDED, /* the operation owns the exchange */
    STAGE_DONE,      /* the operation has ended: `result` and `op` are to be answered */
    STAGE_ANSWERED,  /* the reply is going out; a streamed one goes back to STAGE_SUSPENDED for each
                      * piece, and to STAGE_DONE when that is there */
};

struct exchange {
    struct server *server;
    struct MHD_Connection *connection;
    struct connection *watched;
    struct arena *arena;
    struct text target;
    const char *method;
    int64_t begun_us;
    enum stage stage;
    bool counted; /* in metrics.in_flight */

    struct gate gate;
    struct match match;
    struct err err;
    struct rate_state rate; /* of the caller */
    struct text request_id;

    struct buf body;
    size_t n_body_bytes; /* arrived, kept or not */
    json_t *json;

    struct op op;
    int result;
    const char *content_range; /* of the reply; or NULL */

    /* Of a streamed reply: memory of the piece that the client is taking, and, while the next one
     * is made there, of the one before. */
    struct arena *piece;
    struct arena *last_piece;
    size_t n_taken; /* bytes of op.raw */

    /* Of a stream of events: when it has been opened it takes the socket, and at the end of this
     * exchange its arena. */
    bool may_follow; /* the client understands chunks */
    struct stream *events;
    struct text events_head; /* present: it has the socket */
};

/* ---- life ---- */

struct exchange *exchange_new(
    struct server *server,
    struct MHD_Connection *connection,
    struct connection *watched,
    const char *target)
{
    struct arena *arena = arena_new();
    struct exchange *e = arena_alloc(arena, sizeof(*e));

    e->server = server;
    e->connection = connection;
    e->watched = watched;
    e->arena = arena;
    e->target = arena_text(arena, text_of(target));
    e->begun_us = clock_mono_us();
    err_init(&e->err, arena);
    e->body = BUF(BODY_BYTES_MAX);
    connections_phase(watched, CONNECTION_HEAD);
    return e;
}

static void drop_body(struct exchange *e)
{
    atomic_fetch_sub(&e->server->services->metrics->body_bytes, (int64_t)e->body.len);
    buf_done(&e->body);
}

/* Counted for as long as it is anywhere: who waits for the end of all (server_drain) must not find
 * a request that is done and a stream that is not there yet. */
void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    struct metrics *metrics = exchange->server->services->metrics;
    bool counted = exchange->counted;

    connections_phase(exchange->watched, CONNECTION_IDLE);
    drop_body(exchange);
    json_decref(exchange->json);
    arena_free(exchange->piece);
    arena_free(exchange->last_piece);
    if (text_present(exchange->events_head)) {
        stream_start(exchange->events, exchange->events_head, &exchange->op, exchange->arena);
    } else {
        stream_discard(exchange->events);
        arena_free(exchange->arena);
    }
    if (counted)
        atomic_fetch_sub(&metrics->in_flight, 1);
}

/* ---- the reply ---- */

static const struct operation *operation_of(const struct exchange *e)
{
    return e->match.route ? e->match.route->operation : NULL;
}

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
    const struct operation *operation = operation_of(e);

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

static enum MHD_Result queue(struct exchange *e, struct reply *reply, struct reply_context *context)
{
    context->request_id = e->request_id;
    context->accept_encoding = e->gate.accept_encoding;
    context->rate = e->rate;
    context->content_range = e->content_range;
    context->close |= atomic_load(&e->server->services->stopping);
    struct MHD_Response *response = reply_make(reply, context);
    if (!response)
        return MHD_NO;
    /* The reply has copies of all; a client may take its time to fetch it. */
    json_decref(TAKE(e->json));
    e->op.body = NULL;
    e->stage = STAGE_ANSWERED;
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

/* `close`: the rest of what the client sends is not to be looked at. */
static enum MHD_Result answer_error(struct exchange *e, bool close)
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
    const struct operation *operation = operation_of(e);
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

static void hand_over(struct exchange *e);

static void begin_piece(struct exchange *e)
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
        LOG_STR("operation", operation_of(e)->name), LOG_STR("code", code));
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* Called by libmicrohttpd when the client has room for more. */
static ssize_t read_stream(void *exchange, uint64_t position, char *ret, size_t size)
{
    struct exchange *e = exchange;

    (void)position;
    if (e->stage == STAGE_DONE) {
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
        begin_piece(e);
        connections_phase(e->watched, CONNECTION_WORK);
        hand_over(e);
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

static bool wants_events(const struct exchange *e)
{
    return operation_of(e)->follows && e->may_follow && strcmp(e->method, "GET") == 0 &&
           accepts(e->gate.accept, TEXT("text/event-stream"));
}

/* libmicrohttpd finds a dead socket, closes it, and has done with the request: see exchange_free.
 */
static enum MHD_Result give_events(struct exchange *e)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct reply_context context = {.request_id = e->request_id, .rate = e->rate};

    if (!info || stream_take_socket(e->events, info->connect_fd) != 0) {
        err_set(&e->err, ERR_OVERLOADED, "the server has no room for another stream");
        return answer_error(e, false);
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

static enum MHD_Result answer(struct exchange *e)
{
    const struct operation *operation = operation_of(e);
    struct reply reply = {.status = e->match.route->success};
    struct reply_context context = {.replayed = e->op.replayed};

    if (e->result != 0)
        return answer_error(e, false);
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
            return answer_error(e, false);
    } else if (e->op.stored_reply.len) {
        repeat_reply(e, &reply);
    } else if (operation->content_type) {
        reply.content_type = operation->content_type;
        reply.fixed = e->op.raw;
    } else if (operation->out.list && encode_body(e, operation, &reply, &context) != 0) {
        return answer_error(e, false);
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

/* ---- the head ---- */

struct headers {
    struct gate_header list[GATE_HEADERS + 1];
    size_t n;
};

static enum MHD_Result collect_header(
    void *headers,
    enum MHD_ValueKind kind,
    const char *name,
    size_t name_size,
    const char *value,
    size_t size)
{
    struct headers *h = headers;

    (void)kind;
    if (h->n > GATE_HEADERS)
        return MHD_NO;
    h->list[h->n++] =
        (struct gate_header){{name, name_size}, {value ? value : "", value ? size : 0}};
    return MHD_YES;
}

static int pass_gate(struct exchange *e, const char *version)
{
    struct headers headers = {.n = 0};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    MHD_get_connection_values_n(e->connection, MHD_HEADER_KIND, collect_header, &headers);
    const struct gate_head head = {
        .method = text_of(e->method),
        .version = text_of(version),
        .headers = headers.list,
        .n_headers = headers.n,
        .target_bytes = e->target.len,
        .size = info ? info->header_size : 0,
    };
    return gate_check(&head, BODY_BYTES_MAX, &e->gate, &e->err);
}

/* The client's own id, or one that no other request of any server has. */
static void name_request(struct exchange *e)
{
    if (text_present(e->gate.request_id)) {
        e->request_id = arena_text(e->arena, e->gate.request_id);
        return;
    }
    unsigned long long number = atomic_fetch_add(&e->server->n_requests, 1);
    e->request_id =
        text_of(arena_printf(e->arena, "%s%08llx", e->server->request_id_prefix, number));
}

/* Whatever the request turns out to be, it counts. */
static int check_rate(struct exchange *e)
{
    enum rate_kind kind = caller_is_user(&e->op.caller) ? RATE_USER : RATE_BACKEND;

    if (rate_limit_take(e->server->limits, kind, e->op.caller.subject, clock_mono_us(), &e->rate))
        return 0;
    return err_plain(&e->err, ERR_RATE_LIMITED);
}

static struct text client_address(struct exchange *e)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    char host[NI_MAXHOST] = "";
    socklen_t size = address && address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                               : sizeof(struct sockaddr_in);

    if (address && getnameinfo(address, size, host, sizeof(host), NULL, 0, NI_NUMERICHOST) == 0)
        return arena_text(e->arena, text_of(host));
    return TEXT("");
}

static int authenticate(struct exchange *e)
{
    const struct route *route = e->match.route;
    struct caller *caller = &e->op.caller;

    if (route->scope == SCOPE_PUBLIC)
        return 0;
    if (route->scope == SCOPE_USERSIG)
        return v4_authenticate(
                   e->server->services->v4, &e->match, client_address(e), e->arena, caller,
                   &e->err) == 0
                   ? check_rate(e)
                   : -1;
    struct text token = token_of_authorization(e->gate.authorization);
    if (!text_present(token))
        return err_set(&e->err, ERR_UNAUTHENTICATED, "an Authorization: Bearer header is needed");
    if (token_verify(e->server->tokens, token, e->arena, caller, &e->err) != 0 ||
        check_rate(e) != 0)
        return -1;
    if (caller_is_user(caller) ? route->own != OWN_NONE : caller_allows(caller, route->scope))
        return 0;
    return err_set(
        &e->err, ERR_FORBIDDEN,
        caller_is_user(caller) ? "a user token cannot do this" : "the scope %s is needed",
        scope_text(route->scope));
}

static int check_crowd(struct exchange *e)
{
    if (!connection_is_crowded(e->watched))
        return 0;
    return err_plain(&e->err, ERR_TOO_MANY_CONNECTIONS);
}

static enum MHD_Result take_head(struct exchange *e, const char *method, const char *version)
{
    e->method = arena_text(e->arena, text_of(method)).ptr;
    e->counted = true;
    atomic_fetch_add(&e->server->services->metrics->in_flight, 1);
    int gate = pass_gate(e, version);
    e->may_follow = strcmp(version, "HTTP/1.1") == 0;
    name_request(e);
    if (gate != 0 || check_crowd(e) != 0)
        return answer_error(e, true);
    bool allowed =
        router_match(routes, n_routes, e->method, e->target, e->arena, &e->match, &e->err) == 0 &&
        authenticate(e) == 0;
    /* A refusal goes out before the body comes, which ends the connection. Without a body it is
     * sent at the request's end, and the connection serves on. */
    if (!allowed && e->gate.has_body)
        return answer_error(e, true);
    e->stage = STAGE_BODY;
    connections_phase(e->watched, CONNECTION_BODY);
    return MHD_YES;
}

/* ---- the body ---- */

/* A body that is too large is read to its end, and not kept, so that the client reads the answer;
 * one that goes on beyond twice the limit is cut off. */
static enum MHD_Result take_body(struct exchange *e, const char *upload, size_t *upload_size)
{
    struct metrics *metrics = e->server->services->metrics;
    int64_t budget = e->server->services->settings->body_memory_mib << 20;
    size_t size = *upload_size;

    e->n_body_bytes += size;
    *upload_size = 0;
    if (e->n_body_bytes > 2 * BODY_BYTES_MAX)
        return MHD_NO;
    if (e->err.code != ERR_NONE)
        return MHD_YES;
    if (e->n_body_bytes > BODY_BYTES_MAX) {
        drop_body(e);
        err_set(&e->err, ERR_BODY_TOO_LARGE, "a body may have %d bytes", (int)BODY_BYTES_MAX);
        return MHD_YES;
    }
    if (atomic_fetch_add(&metrics->body_bytes, (int64_t)size) + (int64_t)size > budget) {
        atomic_fetch_sub(&metrics->body_bytes, (int64_t)size);
        drop_body(e);
        err_set(&e->err, ERR_OVERLOADED, "too many bodies are arriving");
        return MHD_YES;
    }
    buf_add(&e->body, upload, size);
    return MHD_YES;
}

/* ---- the operation ---- */

static struct text header_value(void *exchange, const char *name)
{
    const struct exchange *e = exchange;

    /* The headers that are fields of operations. */
    if (strcmp(name, "Idempotency-Key") == 0)
        return e->gate.idempotency_key;
    if (strcmp(name, "Last-Event-ID") == 0)
        return e->gate.last_event_id;
    if (strcmp(name, "Host") == 0)
        return e->gate.host;
    return strcmp(name, "If-Match") == 0 ? e->gate.if_match : TEXT_ABSENT;
}

static bool takes_body(const struct fields *fields)
{
    for (const struct field *field = fields->list; field && field->kind; field++)
        if (field->from == IN_BODY)
            return true;
    return false;
}

static struct text issued_at(struct exchange *e)
{
    char text[CLOCK_TEXT];

    if (!caller_is_user(&e->op.caller))
        return TEXT_ABSENT;
    return arena_text(e->arena, clock_to_text(e->op.caller.issued_at_us, text));
}

static int decode(struct exchange *e)
{
    const struct operation *operation = operation_of(e);
    struct field_source source = {
        .path = e->match.path,
        .n_path = e->match.n_path,
        .query = e->match.query,
        .n_query = e->match.n_query,
        .header = header_value,
        .context = e,
        .as_user = caller_is_user(&e->op.caller) ? e->op.caller.subject : TEXT_ABSENT,
        .as_device = e->op.caller.device,
        .issued_at = issued_at(e),
        .sent_by = e->op.caller.subject,
    };

    if (operation->decode) {
        int result = operation->decode(&e->op, &source, buf_as_text(&e->body));
        drop_body(e);
        return result;
    }
    if ((e->body.len || takes_body(&operation->in)) &&
        fields_parse_json(buf_as_text(&e->body), &e->json, &e->err) != 0)
        return -1;
    drop_body(e); /* the tree has copies of all */
    source.body = e->json;
    e->op.body = e->json;
    e->op.in = arena_alloc(e->arena, operation->in.size);
    e->op.out = arena_alloc(e->arena, operation->out.size);
    return fields_decode(&operation->in, &source, e->arena, e->op.in, &e->err);
}

static const struct text *own_field(const struct exchange *e)
{
    const char *name = e->match.route->own == OWN_PATH_USER ? "user" : "from";

    for (const struct field *f = operation_of(e)->in.list; f->kind; f++)
        if (strcmp(f->name, name) == 0)
            return (const struct text *)(const void *)((const char *)e->op.in + f->offset);
    return NULL;
}

/* A user token acts for its own user only. */
static int authorize(struct exchange *e)
{
    enum own own_rule = e->match.route->own;

    if (e->match.route->scope == SCOPE_PUBLIC || !caller_is_user(&e->op.caller) ||
        own_rule == OWN_AS_USER)
        return 0;
    const struct text *own = own_field(e);
    if (own && text_equal(*own, e->op.caller.subject))
        return 0;
    return err_set(&e->err, ERR_FORBIDDEN, "the token belongs to another user");
}

/* From the thread that ended the operation, which may be this very one. After the resumption the
 * exchange belongs to the HTTP thread again and may be gone. */
static void resume(struct op *op, int result)
{
    struct exchange *e = op->owner;
    struct server *server = e->server;
    struct MHD_Connection *connection = e->connection;

    e->result = result;
    e->stage = STAGE_DONE;
    atomic_fetch_sub(&server->n_suspended, 1);
    MHD_resume_connection(connection);
}

static void finish_here(struct op *op, int result)
{
    struct exchange *e = op->owner;

    e->result = result;
    e->stage = STAGE_DONE;
}

static struct text path_of(struct text target)
{
    return text_cut(&target, '?');
}

static void prepare_op(struct exchange *e)
{
    struct services *services = e->server->services;

    e->op.operation = operation_of(e);
    e->op.services = services;
    e->op.arena = e->arena;
    e->op.err = &e->err;
    e->op.index = (size_t)(e->match.route - routes);
    e->op.owner = e;
    e->op.request_id = e->request_id;
    if (e->op.operation->audit) {
        e->op.resource = path_of(e->target);
        e->op.address = client_address(e);
    }
    e->op.deadline_us = clock_mono_us() + services->settings->request_timeout_s * USEC_PER_SEC;
}

/* Suspended first and handed over second: the other way round it could be resumed too early. */
static void hand_over(struct exchange *e)
{
    e->op.done = resume;
    e->stage = STAGE_SUSPENDED;
    atomic_fetch_add(&e->server->n_suspended, 1);
    MHD_suspend_connection(e->connection);
    op_dispatch(&e->op);
}

static enum MHD_Result run(struct exchange *e)
{
    connections_phase(e->watched, CONNECTION_WORK);
    if (e->err.code != ERR_NONE)
        return answer_error(e, false);
    prepare_op(e);
    if (decode(e) != 0 || authorize(e) != 0)
        return answer_error(e, false);
    if (e->op.operation->lane == LANE_HTTP) {
        e->op.done = finish_here;
        op_dispatch(&e->op);
        return answer(e);
    }
    if (e->op.operation->stream)
        begin_piece(e);
    if (wants_events(e)) {
        e->events = stream_new(e->server->streams);
        e->op.watch = stream_watch(e->events);
    }
    hand_over(e);
    return MHD_YES;
}

enum MHD_Result exchange_handle(
    struct exchange *exchange,
    const char *method,
    const char *version,
    const char *upload,
    size_t *upload_size)
{
    switch (exchange->stage) {
    case STAGE_HEAD:
        return take_head(exchange, method, version);
    case STAGE_BODY:
        if (*upload_size)
            return take_body(exchange, upload, upload_size);
        return run(exchange);
    case STAGE_DONE:
        return answer(exchange);
    case STAGE_SUSPENDED:
    case STAGE_ANSWERED:
        break;
    }
    return MHD_NO;
}
