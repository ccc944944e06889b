#include "http/server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/exchange.h"

#define BACKLOG 1024
/* For requests that are still arriving when the server is told to stop. */
#define ARRIVING_AT_STOP_US (3 * USEC_PER_SEC)
/* For request line, headers and what of the body is in hand, and the head of the reply (see
 * GATE_HEAD_BYTES); the body itself is kept elsewhere. */
#define CONNECTION_BYTES (16u << 10)
/* Callers whose requests are not all back: a megabyte. */
#define LIMITED_CALLERS 65536

/* ---- what libmicrohttpd calls ---- */

static struct connection *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void *on_request_line(void *loop, const char *target, struct MHD_Connection *connection)
{
    loop_goes_on(loop);
    return exchange_new(loop, connection, watched_of(connection), target);
}

static enum MHD_Result on_request(
    void *server,
    struct MHD_Connection *connection,
    const char *decoded_target,
    const char *method,
    const char *version,
    const char *upload,
    size_t *upload_size,
    void **exchange)
{
    (void)server;
    (void)connection;
    (void)decoded_target; /* cut at NUL and with %2F turned into '/': never looked at */
    return exchange_handle(*exchange, method, version, upload, upload_size);
}

static void on_completed(
    void *server,
    struct MHD_Connection *connection,
    void **exchange,
    enum MHD_RequestTerminationCode how)
{
    (void)server;
    (void)connection;
    (void)how; /* that the kernel took the bytes says nothing of the client */
    exchange_free(*exchange);
    *exchange = NULL;
}

static void on_connection(
    void *loop,
    struct MHD_Connection *connection,
    void **watched,
    enum MHD_ConnectionNotificationCode what)
{
    struct server *server = loop_context(loop);

    loop_goes_on(loop);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *watched = info ? connections_open(server->connections, info->connect_fd) : NULL;
    } else {
        connections_close(server->connections, *watched);
        *watched = NULL;
    }
}

static size_t keep_encoded(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_library_log(
    void *context, const char *format, va_list args)
{
    buf_auto line = BUF(1024);

    (void)context;
    buf_vprintf(&line, format, args);
    log_event(LOG_DEBUG, "microhttpd", LOG_TEXT("message", text_trim(buf_as_text(&line))));
}

static void on_panic(void *context, const char *file, unsigned line, const char *reason)
{
    (void)context;
    log_stop();
    log_event(
        LOG_ERROR, "microhttpd_panic", LOG_STR("file", file), LOG_INT("line", line),
        LOG_STR("reason", reason));
    abort();
}

/* ---- listening ---- */

struct listening {
    char host[256];
    char port[16];
    struct sockaddr_storage address;
    socklen_t length;
    char *why;
    size_t why_size;
};

#define REFUSE(l, ...) (snprintf((l)->why, (l)->why_size, __VA_ARGS__), -1)

/* "127.0.0.1:8080" or "[::1]:8080". */
static int split_address(struct listening *l, const char *listen)
{
    const char *colon = strrchr(listen, ':');
    size_t host_length = colon ? (size_t)(colon - listen) : 0;
    int64_t port = -1;

    if (!colon || host_length == 0 || host_length >= sizeof(l->host) ||
        !text_to_i64(text_of(colon + 1), &port) || port < 0 || port > UINT16_MAX)
        return REFUSE(l, "DUET_LISTEN must be an address and a port such as 127.0.0.1:8080.");
    if (listen[0] == '[' && listen[host_length - 1] == ']')
        snprintf(l->host, sizeof(l->host), "%.*s", (int)host_length - 2, listen + 1);
    else
        snprintf(l->host, sizeof(l->host), "%.*s", (int)host_length, listen);
    snprintf(l->port, sizeof(l->port), "%d", (int)port);
    return 0;
}

static int resolve(struct listening *l)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;

    int failed = getaddrinfo(l->host, l->port, &hints, &found);
    if (failed)
        return REFUSE(l, "DUET_LISTEN names %s:%s: %s.", l->host, l->port, gai_strerror(failed));
    memcpy(&l->address, found->ai_addr, found->ai_addrlen);
    l->length = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int bind_socket(struct listening *l, bool shared)
{
    int on = 1;
    int fd = socket(l->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return REFUSE(l, "A socket cannot be made: %m.");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&l->address, l->length) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return REFUSE(
        l,
        "DUET_LISTEN is %s:%s, where this server cannot listen: %m. Another program may have the "
        "port.",
        l->host, l->port);
}

/* Our own sockets share the port, and so could those of a second duetd, unseen: a socket that does
 * not share finds out. */
static int check_port_is_free(struct listening *l)
{
    int fd = bind_socket(l, false);

    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int open_sockets(struct server *server, struct listening *l)
{
    if (strcmp(l->port, "0") != 0 && check_port_is_free(l) != 0)
        return -1;
    for (size_t i = 0; i < server->n_loops; i++) {
        server->sockets[i] = bind_socket(l, true);
        if (server->sockets[i] < 0)
            return -1;
        /* The first may have been given a port; the others take the same. */
        l->length = sizeof(l->address);
        getsockname(server->sockets[i], (struct sockaddr *)&l->address, &l->length);
    }
    return 0;
}

static void write_address(const struct listening *l, char *ret, size_t size)
{
    char host[128], port[16];

    getnameinfo(
        (const struct sockaddr *)&l->address, l->length, host, sizeof(host), port, sizeof(port),
        NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(ret, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

/* ---- life ---- */

static struct MHD_Daemon *start_daemon(struct server *server, struct loop *loop, int fd)
{
    const struct settings *settings = server->services->settings;

    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request,
        server, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL,
        /* Our own limit comes first: what libmicrohttpd has no room for waits in the backlog
         * without a word, and the kernel may give one daemon more than its share. */
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)settings->max_connections * 2, MHD_OPTION_CONNECTION_TIMEOUT,
        server->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, loop, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_encoded, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, loop, MHD_OPTION_END);
}

/* -1 with errno set. */
static int start_loop(struct server *server, size_t i)
{
    struct loop *loop = loop_new(server);

    server->loops[i] = loop;
    if (!loop)
        return -1;
    struct MHD_Daemon *daemon = start_daemon(server, loop, server->sockets[i]);
    return daemon ? loop_start(loop, daemon) : -1;
}

static int start_loops(struct server *server, char *why, size_t why_size)
{
    for (size_t i = 0; i < server->n_loops; i++) {
        if (start_loop(server, i) == 0)
            continue;
        snprintf(why, why_size, "libmicrohttpd cannot be started: %m.");
        return -1;
    }
    return 0;
}

static unsigned longest_timeout_s(const struct settings *settings)
{
    const int64_t timeouts_s[] = {
        settings->header_timeout_s,
        settings->body_timeout_s,
        settings->reply_timeout_s,
        settings->idle_timeout_s,
    };
    int64_t longest_s = 0;

    for (size_t i = 0; i < sizeof(timeouts_s) / sizeof(timeouts_s[0]); i++)
        if (timeouts_s[i] > longest_s)
            longest_s = timeouts_s[i];
    return (unsigned)longest_s;
}

static struct server *server_new(struct services *services, struct tokens *tokens)
{
    const struct settings *settings = services->settings;
    struct server *server = mem_alloc(sizeof(*server));
    const int64_t timeouts_us[CONNECTION_PHASES] = {
        [CONNECTION_HEAD] = settings->header_timeout_s * USEC_PER_SEC,
        [CONNECTION_BODY] = settings->body_timeout_s * USEC_PER_SEC,
        [CONNECTION_WORK] = 0, /* the operation has its own */
        [CONNECTION_REPLY] = settings->reply_timeout_s * USEC_PER_SEC,
        [CONNECTION_IDLE] = settings->idle_timeout_s * USEC_PER_SEC,
    };
    const struct rate_policy policies[RATE_KINDS] = {
        [RATE_USER] = {settings->user_rate, settings->user_burst},
        [RATE_BACKEND] = {settings->backend_rate, settings->backend_burst},
    };
    uint64_t random = 0;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = (uint64_t)clock_now_us();
    snprintf(
        server->request_id_prefix, sizeof(server->request_id_prefix), "%016llx",
        (unsigned long long)random);
    server->services = services;
    server->tokens = tokens;
    server->idle_timeout_s = longest_timeout_s(settings) + 1;
    server->n_loops = (size_t)settings->http_threads;
    server->loops = mem_alloc(sizeof(struct loop *) * server->n_loops);
    server->sockets = mem_alloc(sizeof(*server->sockets) * server->n_loops);
    for (size_t i = 0; i < server->n_loops; i++)
        server->sockets[i] = -1;
    server->limits = rate_limit_new(policies, LIMITED_CALLERS);
    server->connections = connections_new(
        (size_t)settings->max_connections, (size_t)settings->max_connections * 9 / 10, timeouts_us);
    server->streams = streams_new(services);
    if (!server->connections || !server->streams) {
        server_free(server);
        return NULL;
    }
    return server;
}

int server_start(
    struct services *borrows_services,
    struct tokens *borrows_tokens,
    struct server **ret,
    char *ret_address,
    size_t address_size,
    char *why,
    size_t why_size)
{
    struct listening listening = {.why = why, .why_size = why_size};
    struct server *server = server_new(borrows_services, borrows_tokens);

    if (!server) {
        snprintf(why, why_size, "A thread cannot be started: %m.");
        return -1;
    }
    MHD_set_panic_func(on_panic, NULL);
    if (split_address(&listening, borrows_services->settings->listen) != 0 ||
        resolve(&listening) != 0 || open_sockets(server, &listening) != 0 ||
        start_loops(server, why, why_size) != 0) {
        server_free(server);
        return -1;
    }
    write_address(&listening, ret_address, address_size);
    *ret = server;
    return 0;
}

void server_stop_accepting(struct server *server)
{
    atomic_store(&server->services->stopping, true);
    streams_stop(server->streams);
    connections_hurry(server->connections, ARRIVING_AT_STOP_US);
    /* The sockets stay ours and are closed at the end: closed now, their numbers could be
     * another's. */
    for (size_t i = 0; i < server->n_loops; i++)
        loop_stop_accepting(server->loops[i], server->sockets[i]);
}

bool server_drain(struct server *server, int64_t seconds)
{
    int64_t until = clock_mono_us() + seconds * USEC_PER_SEC;
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};

    while (atomic_load(&server->services->metrics->in_flight) > 0 ||
           streams_count(server->streams) > 0) {
        if (clock_mono_us() >= until)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

void server_free(struct server *server)
{
    if (!server)
        return;
    if (server->connections)
        connections_stop(server->connections);
    for (size_t i = 0; i < server->n_loops; i++)
        loop_free(server->loops[i]);
    for (size_t i = 0; i < server->n_loops; i++)
        if (server->sockets[i] >= 0)
            close(server->sockets[i]);
    if (server->streams)
        streams_free(server->streams);
    connections_free(server->connections);
    rate_limit_free(server->limits);
    free(server->loops);
    free(server->sockets);
    free(server);
}
