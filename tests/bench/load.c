/* Loads a running server over HTTP/1.1 and prints what it did as one JSON object.
 *
 * It shares the machine with the server that it measures, so it does as little as it can: one
 * thread, requests made once and only patched, answers read no further than status and length, of
 * /v4 the ErrorCode too. Each connection has one request under way; the next goes out as soon as
 * the answer is whole. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

enum {
    REQUEST_BYTES = 4096,
    ANSWER_BYTES = 256 * 1024, /* the longest page with room to spare */
    PATH_BYTES = 1024,
    TOKEN_BYTES = 2048,
    TEXT_BYTES = 200,
    CLIENT_ID_DIGITS = 18,
    RANDOM_DIGITS = 9,
    MAX_CONNECTIONS = 10000,
    EVENTS = 512,
    STATUSES = 600,
    HISTORY_LIMIT = 20,
};

enum target {
    TARGET_SEND,
    TARGET_HEALTHZ,
    TARGET_HISTORY,
    TARGET_PATH,
    TARGET_V4,
};

static const char *const target_names[] = {"send", "healthz", "history", "path", "v4"};

struct connection {
    int fd;
    uint64_t sent_ns;
    struct connection *next_resting;
    size_t have;  /* bytes of the answer so far */
    size_t whole; /* bytes of the whole answer; 0 until its head is complete */
    int status;
    bool closes;
    char answer[ANSWER_BYTES];
};

struct load {
    enum target target;
    struct sockaddr_in address;
    struct crowd crowd;
    uint64_t random;
    uint64_t next_client_id;
    bool once;
    uint64_t once_next;   /* who sends next; the user behind is written to */
    uint64_t finish_most; /* ends after so many answers */
    uint64_t rate;        /* requests a second; 0: as many as are answered */
    uint64_t paced_from_ns, n_paced;
    struct connection *resting; /* those that wait for their turn */

    /* One buffer serves all connections: a request is in the socket before the next is patched. */
    char request[REQUEST_BYTES];
    size_t request_len;
    size_t from_at, to_at, client_id_at, random_at; /* 0: not in this request */

    struct connection *connections;
    uint64_t n_connections;
    int epoll;

    bool counting; /* the warm-up is over */
    uint64_t finished_ever;
    uint64_t lost;
    uint64_t statuses[STATUSES];
    struct histogram latency;
};

struct options {
    const char *url;
    const char *target;
    const char *token_file;
    const char *path; /* with --target path: what to GET */
    const char *prefix;
    double seconds;
    double warm_up_seconds;
    bool client_id;
    bool policy;
};

static void parse_url(struct load *load, const char *url)
{
    static const char scheme[] = "http://";
    char host[INET_ADDRSTRLEN] = "";
    const char *colon = strrchr(url, ':');
    const char *start = url + sizeof(scheme) - 1;

    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || colon < start ||
        (size_t)(colon - start) >= sizeof(host))
        measure_die("--url", "wants http://ADDRESS:PORT");
    memcpy(host, start, (size_t)(colon - start));
    load->address.sin_family = AF_INET;
    load->address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &load->address.sin_addr) != 1)
        measure_die("--url", "wants an IPv4 address");
}

static void read_token(const char *path, char *token)
{
    FILE *file = path ? fopen(path, "re") : NULL;

    if (!file || !fgets(token, TOKEN_BYTES, file))
        measure_die("--token-file", path ? strerror(errno) : "is missing");
    (void)fclose(file);
    token[strcspn(token, "\r\n")] = '\0';
}

static size_t place_of(const struct load *load, const char *mark)
{
    const char *found = strstr(load->request, mark);

    return found ? (size_t)(found - load->request) : 0;
}

/* Until patched, the digits of users stand as ###### and @@@@@@, those of the client's id as !!!:
 * marks that no token holds. */
static void make_request(struct load *load, const struct options *options)
{
    char token[TOKEN_BYTES] = "";
    char body[1024] = "";
    char path[PATH_BYTES] = "/healthz";
    char text[TEXT_BYTES + 1];
    int length;

    memset(text, 'm', TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    if (load->target != TARGET_HEALTHZ)
        read_token(options->token_file, token);
    if (load->target == TARGET_HISTORY)
        (void)snprintf(
            path, sizeof(path), "/v1/users/%s######/messages?limit=%d", options->prefix,
            HISTORY_LIMIT);
    if (load->target == TARGET_PATH || load->target == TARGET_V4)
        (void)snprintf(path, sizeof(path), "%s", options->path);
    if (load->target == TARGET_SEND) {
        (void)snprintf(path, sizeof(path), "/v1/messages");
        (void)snprintf(
            body, sizeof(body), "{\"from\":\"%s######\",\"to\":\"%s@@@@@@\"%s%s,\"text\":\"%s\"}",
            options->prefix, options->prefix,
            options->client_id ? ",\"client_id\":\"!!!!!!!!!!!!!!!!!!\"" : "",
            options->policy ? ",\"options\":{\"enforce_policy\":true}" : "", text);
    }
    if (load->target == TARGET_V4)
        (void)snprintf(
            body, sizeof(body),
            "{\"From_Account\":\"%s######\",\"To_Account\":\"%s@@@@@@\",\"MsgRandom\":1$$$$$$$$$,"
            "\"MsgBody\":[{\"MsgType\":\"TIMTextElem\",\"MsgContent\":{\"Text\":\"%s\"}}]}",
            options->prefix, options->prefix, text);
    length = snprintf(
        load->request, sizeof(load->request), "%s %s HTTP/1.1\r\nHost: bench\r\n%s%s%s",
        *body ? "POST" : "GET", path, *token ? "Authorization: Bearer " : "", token,
        *token ? "\r\n" : "");
    if (*body)
        length += snprintf(
            load->request + length, sizeof(load->request) - (size_t)length,
            "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    length +=
        snprintf(load->request + length, sizeof(load->request) - (size_t)length, "\r\n%s", body);
    if ((size_t)length >= sizeof(load->request))
        measure_die("request", "is too long");
    load->request_len = (size_t)length;
    load->from_at = place_of(load, "######");
    load->to_at = place_of(load, "@@@@@@");
    load->client_id_at = place_of(load, "!!!!!!!!!!!!!!!!!!");
    load->random_at = place_of(load, "$$$$$$$$$");
}

static void patch_request(struct load *load)
{
    uint64_t from, to;

    if (!load->from_at)
        return;
    if (load->once) {
        from = load->once_next;
        to = from + 1;
        load->once_next = (from + 2) % (load->crowd.users & ~1ULL);
    } else {
        from = crowd_sender(&load->crowd, &load->random);
        to = crowd_receiver(&load->crowd, from, &load->random);
    }
    patch_digits(load->request + load->from_at, MEASURE_USER_DIGITS, from);
    if (load->to_at)
        patch_digits(load->request + load->to_at, MEASURE_USER_DIGITS, to);
    if (load->client_id_at)
        patch_digits(load->request + load->client_id_at, CLIENT_ID_DIGITS, load->next_client_id++);
    if (load->random_at)
        patch_digits(
            load->request + load->random_at, RANDOM_DIGITS,
            load->next_client_id++ % UINT64_C(1000000000));
}

static void send_request(struct load *load, struct connection *connection, uint64_t now_ns)
{
    size_t sent = 0;

    patch_request(load);
    connection->sent_ns = now_ns;
    connection->have = 0;
    connection->whole = 0;
    while (sent < load->request_len) {
        ssize_t wrote =
            send(connection->fd, load->request + sent, load->request_len - sent, MSG_NOSIGNAL);

        if (wrote >= 0) {
            sent += (size_t)wrote;
        } else if (errno == EAGAIN) {
            /* Does not happen with requests this short, so waiting here costs nobody. */
            struct pollfd writable = {.fd = connection->fd, .events = POLLOUT};

            (void)poll(&writable, 1, 1000);
        } else if (errno != EINTR) {
            return; /* the socket's end is seen, and counted, where it is read */
        }
    }
}

static void open_connection(struct load *load, struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    int on = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&load->address, sizeof(load->address)) < 0)
        measure_die("connect", strerror(errno));
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        measure_die("epoll_ctl", strerror(errno));
    send_request(load, connection, measure_now_ns());
}

/* A connection that the server has closed: its request is lost unless the answer had come. */
static void reopen_connection(struct load *load, struct connection *connection)
{
    (void)close(connection->fd);
    open_connection(load, connection);
}

/* What follows the name at the start of the line, or NULL. */
static const char *header_value(const char *line, const char *name)
{
    size_t length = strlen(name);

    return strncasecmp(line, name, length) == 0 && line[length] == ':' ? line + length + 1 : NULL;
}

static void read_head(struct connection *connection)
{
    char *end = memmem(connection->answer, connection->have, "\r\n\r\n", 4);
    const char *length = NULL;

    if (!end)
        return;
    *end = '\0'; /* what follows is not looked at */
    connection->closes = false;
    for (const char *line = strchr(connection->answer, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (header_value(line, "Content-Length"))
            length = header_value(line, "Content-Length");
        if (header_value(line, "Connection"))
            connection->closes = strncasecmp(header_value(line, "Connection"), " close", 6) == 0;
    }
    if (strncmp(connection->answer, "HTTP/1.1 ", 9) != 0 || !length)
        measure_die("answer without a status or a length", connection->answer);
    connection->status = (int)strtol(connection->answer + 9, NULL, 10);
    if (connection->status < 100 || connection->status >= STATUSES)
        measure_die("answer with an unknown status", connection->answer);
    connection->whole = (size_t)(end + 4 - connection->answer) + strtoull(length, NULL, 10);
    if (connection->whole >= ANSWER_BYTES)
        measure_die("answer", "is too long");
}

/* Errors of /v4 have the status of what went well. */
static int status_of(const struct load *load, const struct connection *connection)
{
    static const char fine[] = "\"ErrorCode\":0,";

    if (load->target == TARGET_V4 &&
        !memmem(connection->answer, connection->have, fine, sizeof(fine) - 1))
        return 400;
    return connection->status;
}

static void finish_request(struct load *load, struct connection *connection)
{
    uint64_t now_ns = measure_now_ns();

    load->finished_ever++;
    if (load->counting) {
        load->statuses[status_of(load, connection)]++;
        histogram_add(&load->latency, now_ns - connection->sent_ns);
    }
    if (connection->closes) {
        reopen_connection(load, connection);
    } else if (load->rate) {
        connection->next_resting = load->resting;
        load->resting = connection;
    } else {
        send_request(load, connection, now_ns);
    }
}

/* Those whose turn has come. What is late because no connection was free is not made up for. */
static void send_paced(struct load *load)
{
    uint64_t now_ns = measure_now_ns();
    uint64_t n_due = (now_ns - load->paced_from_ns) / 1000 * load->rate / 1000000;

    for (; load->n_paced < n_due && load->resting; load->n_paced++) {
        struct connection *connection = load->resting;

        load->resting = connection->next_resting;
        send_request(load, connection, now_ns);
    }
    load->n_paced = n_due;
}

static void read_answer(struct load *load, struct connection *connection)
{
    ssize_t got = recv(
        connection->fd, connection->answer + connection->have, ANSWER_BYTES - 1 - connection->have,
        0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        load->lost += load->counting;
        reopen_connection(load, connection);
        return;
    }
    connection->have += (size_t)got;
    connection->answer[connection->have] = '\0';
    if (!connection->whole)
        read_head(connection);
    if (connection->whole && connection->have >= connection->whole)
        finish_request(load, connection);
}

static void run_until(struct load *load, uint64_t end_ns)
{
    struct epoll_event events[EVENTS];

    while (measure_now_ns() < end_ns && load->finished_ever < load->finish_most) {
        int ready = epoll_wait(load->epoll, events, EVENTS, load->rate ? 1 : 100);

        for (int i = 0; i < ready; i++)
            read_answer(load, events[i].data.ptr);
        if (load->rate)
            send_paced(load);
    }
}

static double own_cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_result(const struct load *load, double seconds)
{
    const char *comma = "";
    uint64_t good = load->statuses[load->target == TARGET_SEND ? 201 : 200];

    (void)printf(
        "{\"target\": \"%s\", \"connections\": %llu, \"seconds\": %.3f, \"requests\": %llu, "
        "\"rate\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, "
        "\"finished_ever\": %llu, \"lost\": %llu, \"client_cpu_seconds\": %.3f, \"statuses\": {",
        target_names[load->target], (unsigned long long)load->n_connections, seconds,
        (unsigned long long)load->latency.count, (double)good / seconds,
        histogram_quantile_us(&load->latency, 0.5), histogram_quantile_us(&load->latency, 0.99),
        (double)load->latency.max_ns / 1000, (unsigned long long)load->finished_ever,
        (unsigned long long)load->lost, own_cpu_seconds());
    for (int status = 0; status < STATUSES; status++) {
        if (!load->statuses[status])
            continue;
        (void)printf("%s\"%d\": %llu", comma, status, (unsigned long long)load->statuses[status]);
        comma = ", ";
    }
    (void)printf("}}\n");
}

static enum target parse_target(const char *name)
{
    for (size_t i = 0; i < sizeof(target_names) / sizeof(*target_names); i++) {
        if (strcmp(name, target_names[i]) == 0)
            return (enum target)i;
    }
    measure_die("--target", "wants send, healthz, history, path or v4");
}

static void read_options(struct load *load, struct options *options, char **arguments)
{
    const struct option known[] = {
        {"--url", OPTION_TEXT, &options->url},
        {"--target", OPTION_TEXT, &options->target},
        {"--path", OPTION_TEXT, &options->path},
        {"--token-file", OPTION_TEXT, &options->token_file},
        {"--connections", OPTION_NUMBER, &load->n_connections},
        {"--seconds", OPTION_SECONDS, &options->seconds},
        {"--warm-up", OPTION_SECONDS, &options->warm_up_seconds},
        {"--prefix", OPTION_TEXT, &options->prefix},
        {"--rate", OPTION_NUMBER, &load->rate},
        {"--users", OPTION_NUMBER, &load->crowd.users},
        {"--contacts", OPTION_NUMBER, &load->crowd.contacts},
        {"--skew", OPTION_NUMBER, &load->crowd.skew},
        {"--once", OPTION_ON, &load->once},
        {"--no-client-id", OPTION_OFF, &options->client_id},
        {"--no-policy", OPTION_OFF, &options->policy},
        {0},
    };

    options_read(known, arguments);
    if (load->n_connections < 1 || load->n_connections > MAX_CONNECTIONS)
        measure_die("--connections", "wants 1 to 10000");
    crowd_check(&load->crowd, options->prefix);
    load->target = parse_target(options->target);
    parse_url(load, options->url);
}

int main(int argc, char **arguments)
{
    static struct load load = {
        .n_connections = 64,
        .crowd = {.users = 100000, .contacts = 20, .skew = 3},
    };
    struct options options = {
        .url = "http://127.0.0.1:8080",
        .target = "send",
        .path = "/",
        .prefix = "bench",
        .seconds = 10,
        .warm_up_seconds = 2,
        .client_id = true,
        .policy = true,
    };
    uint64_t counted_from_ns;

    (void)argc;
    read_options(&load, &options, arguments);
    make_request(&load, &options);
    /* Never the same messages twice: a repeated client id would be answered as a retry. */
    load.random = (uint64_t)time(NULL) ^ measure_now_ns();
    load.next_client_id = (uint64_t)time(NULL) * 100000000ULL;

    load.finish_most = load.once ? load.crowd.users / 2 : UINT64_MAX;
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.connections = calloc(load.n_connections, sizeof(*load.connections));
    if (load.epoll < 0 || !load.connections)
        measure_die("start", strerror(errno));
    for (uint64_t i = 0; i < load.n_connections; i++)
        open_connection(&load, &load.connections[i]);

    load.paced_from_ns = measure_now_ns();
    run_until(&load, measure_now_ns() + (uint64_t)(options.warm_up_seconds * NS_PER_S));
    load.counting = true;
    counted_from_ns = measure_now_ns();
    run_until(&load, counted_from_ns + (uint64_t)(options.seconds * NS_PER_S));
    print_result(&load, (double)(measure_now_ns() - counted_from_ns) / NS_PER_S);
    free(load.connections);
    return 0;
}
