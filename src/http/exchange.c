#include "http/exchange.h"

#include <netdb.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "http/exchange_state.h"
#include "http/selection.h"
#include "http/v4/v4.h"
#include "ops/dispatch.h"

#define BODY_BYTES_MAX (INT64_C(1) << 20)

/* ---- life ---- */

struct exchange *exchange_new(
    struct loop *loop,
    struct MHD_Connection *connection,
    struct connection *watched,
    const char *target)
{
    struct arena *arena = arena_new();
    struct exchange *e = arena_alloc(arena, sizeof(*e));

    e->server = loop_context(loop);
    e->loop = loop;
    e->back.connection = connection;
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

    if (counted && exchange->stage != STAGE_ANSWERED)
        exchange_note_unanswered(exchange);
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
        return exchange_answer_error(e, true);
    bool allowed =
        router_match(routes, n_routes, e->method, e->target, e->arena, &e->match, &e->err) == 0 &&
        authenticate(e) == 0;
    /* A refusal goes out before the body comes, which ends the connection. Without a body it is
     * sent at the request's end, and the connection serves on. */
    if (!allowed && e->gate.has_body)
        return exchange_answer_error(e, true);
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
    connections_body_goes_on(e->watched);
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
    const struct operation *operation = exchange_operation(e);
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
    if (fields_decode(&operation->in, &source, e->arena, e->op.in, &e->err) == 0)
        return 0;
    op_name_rest(&e->op);
    return -1;
}

static const struct text *own_field(const struct exchange *e)
{
    const char *name = e->match.route->own == OWN_PATH_USER ? "user" : "from";

    for (const struct field *f = exchange_operation(e)->in.list; f->kind; f++)
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
    e->result = result;
    e->stage = STAGE_DONE;
    loop_resume(e->loop, &e->back);
}

static void finish_here(struct op *op, int result)
{
    struct exchange *e = op->owner;

    e->result = result;
    e->stage = STAGE_DONE;
}

static int client_fd(struct exchange *e)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? info->connect_fd : 0;
}

static struct text path_of(struct text target)
{
    return text_cut(&target, '?');
}

static void prepare_op(struct exchange *e)
{
    struct services *services = e->server->services;

    e->op.operation = exchange_operation(e);
    e->op.services = services;
    e->op.arena = e->arena;
    e->op.err = &e->err;
    e->op.index = (size_t)(e->match.route - routes);
    e->op.owner = e;
    e->op.request_id = e->request_id;
    e->op.client_fd = client_fd(e);
    if (e->op.operation->audit) {
        e->op.resource = path_of(e->target);
        e->op.address = client_address(e);
    }
    e->op.deadline_us = clock_mono_us() + services->settings->request_timeout_s * USEC_PER_SEC;
}

/* What is resumed libmicrohttpd would first read from, and close if the client has closed its half
 * of the connection, which a client may do that is waiting for the answer (RFC 9112, 9.6). But
 * connections with a time-out of their own it serves before it reads from any. */
static void answer_before_reading(struct exchange *e, bool on)
{
    MHD_set_connection_option(
        e->connection, MHD_CONNECTION_OPTION_TIMEOUT, e->server->idle_timeout_s + on);
}

/* Handed over last: from then on another thread may end the operation. */
void exchange_hand_over(struct exchange *e)
{
    e->op.done = resume;
    e->stage = STAGE_SUSPENDED;
    MHD_suspend_connection(e->connection);
    answer_before_reading(e, true);
    op_dispatch(&e->op);
}

void exchange_take_back(struct exchange *e)
{
    answer_before_reading(e, false);
}

static bool wants_events(const struct exchange *e)
{
    return exchange_operation(e)->follows && e->may_follow && strcmp(e->method, "GET") == 0 &&
           accepts(e->gate.accept, TEXT("text/event-stream"));
}

static enum MHD_Result run(struct exchange *e)
{
    connections_phase(e->watched, CONNECTION_WORK);
    if (e->err.code != ERR_NONE)
        return exchange_answer_error(e, false);
    prepare_op(e);
    if (decode(e) != 0 || authorize(e) != 0)
        return exchange_answer_error(e, false);
    if (e->op.operation->lane == LANE_HTTP) {
        e->op.done = finish_here;
        op_dispatch(&e->op);
        return exchange_answer(e);
    }
    if (e->op.operation->stream)
        exchange_begin_piece(e);
    if (wants_events(e)) {
        e->events = stream_new(e->server->streams);
        e->op.watch = stream_watch(e->events);
    }
    exchange_hand_over(e);
    return MHD_YES;
}

enum MHD_Result exchange_handle(
    struct exchange *exchange,
    const char *method,
    const char *version,
    const char *upload,
    size_t *upload_size)
{
    loop_goes_on(exchange->loop);
    switch (exchange->stage) {
    case STAGE_HEAD:
        return take_head(exchange, method, version);
    case STAGE_BODY:
        if (*upload_size)
            return take_body(exchange, upload, upload_size);
        return run(exchange);
    case STAGE_DONE:
        exchange_take_back(exchange);
        return exchange_answer(exchange);
    case STAGE_SUSPENDED:
    case STAGE_ANSWERED:
        break;
    }
    return MHD_NO;
}
