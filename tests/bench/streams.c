/* Opens event streams and holds them; says "ready" when all have caught up, and when its input ends
 * prints as one JSON object what has come: how many messages, and how old they were. With
 * --arrivals it writes to that file when each came: a line with the stream's number, seq, and the
 * time in microseconds since 1970.
 *
 * A message's age is taken from `at`, the database's time before it was stored, to the moment when
 * it was read here: so it holds the commit, too. `at` has milliseconds: the age is up to one too
 * high. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

enum {
    REQUEST_BYTES = 4096,
    TOKEN_BYTES = 2048,
    READ_BYTES = 65536,
    CARRY_BYTES = 96, /* of what was read last: a mark may stand across two reads */
    EVENTS = 512,
    OPENING_MOST = 200, /* streams that are being opened at once */
    MILLISECONDS = 1000,
    MICROSECONDS = 1000000,
};

/* An entry's first members, with the number that stands before the mark: {"seq":17,"kind":… */
static const char seq_mark[] = "{\"seq\":";
static const char message_mark[] = ",\"kind\":\"message\",\"at\":\"";
static const char sync_mark[] = "event: sync";
static const size_t time_length = sizeof("2026-11-22T19:05:01.123Z") - 1;

struct arrival {
    uint32_t stream;
    int64_t seq, at_us;
};

struct stream {
    int fd;
    bool synced;
    size_t n_carried;
    char carry[CARRY_BYTES];
};

struct streams {
    struct sockaddr_in address;
    const char *prefix;
    char token[TOKEN_BYTES];
    struct stream *list;
    uint64_t n, n_opened, n_synced, n_lost;
    uint64_t n_messages;
    struct histogram age;
    struct arrival *arrivals;
    size_t arrivals_room;
    int epoll;
};

static void parse_url(struct sockaddr_in *ret, const char *url)
{
    static const char scheme[] = "http://";
    char host[INET_ADDRSTRLEN] = "";
    const char *colon = strrchr(url, ':');
    const char *start = url + sizeof(scheme) - 1;

    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || colon < start ||
        (size_t)(colon - start) >= sizeof(host))
        measure_die("--url", "wants http://ADDRESS:PORT");
    memcpy(host, start, (size_t)(colon - start));
    ret->sin_family = AF_INET;
    ret->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &ret->sin_addr) != 1)
        measure_die("--url", "wants an IPv4 address");
}

static void open_next(struct streams *streams)
{
    struct stream *stream = &streams->list[streams->n_opened];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
    char request[REQUEST_BYTES];
    int length = snprintf(
        request, sizeof(request),
        "GET /v1/users/%s%06llu/events?after=9007199254740991 HTTP/1.1\r\nHost: bench\r\n"
        "Accept: text/event-stream\r\nAuthorization: Bearer %s\r\n\r\n",
        streams->prefix, (unsigned long long)streams->n_opened, streams->token);

    streams->n_opened++;
    stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stream->fd < 0 ||
        connect(stream->fd, (struct sockaddr *)&streams->address, sizeof(streams->address)) < 0 ||
        send(stream->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        measure_die("connect", strerror(errno));
    (void)fcntl(stream->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(streams->epoll, EPOLL_CTL_ADD, stream->fd, &event) < 0)
        measure_die("epoll_ctl", strerror(errno));
}

static void note_arrival(struct streams *streams, const struct arrival *arrival)
{
    if (streams->n_messages == streams->arrivals_room) {
        streams->arrivals_room = streams->arrivals_room ? 2 * streams->arrivals_room : READ_BYTES;
        streams->arrivals = realloc(streams->arrivals, streams->arrivals_room * sizeof(*arrival));
        if (!streams->arrivals)
            measure_die("arrivals", strerror(errno));
    }
    streams->arrivals[streams->n_messages++] = *arrival;
}

static void note_message(
    struct streams *streams, const struct stream *stream, int64_t seq, const char *at)
{
    struct tm utc = {0};
    struct timespec now;
    const char *rest = strptime(at, "%Y-%m-%dT%H:%M:%S", &utc);
    int64_t ms = rest && *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t age_ns = (int64_t)(now.tv_sec - timegm(&utc)) * (int64_t)NS_PER_S + now.tv_nsec -
                     ms * (int64_t)(NS_PER_S / MILLISECONDS);
    histogram_add(&streams->age, age_ns > 0 ? (uint64_t)age_ns : 0);
    note_arrival(
        streams, &(struct arrival){
                     .stream = (uint32_t)(stream - streams->list),
                     .seq = seq,
                     .at_us = (int64_t)now.tv_sec * MICROSECONDS + now.tv_nsec / MILLISECONDS,
                 });
}

/* The number before the mark; -1: it has been carried away, with what was looked through before. */
static int64_t seq_before(const char *text, const char *mark)
{
    const char *digits = mark;
    const size_t length = sizeof(seq_mark) - 1;

    while (digits > text && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    if ((size_t)(digits - text) < length || strncmp(digits - length, seq_mark, length) != 0)
        return -1;
    return strtoll(digits, NULL, 10);
}

/* Up to where it has been looked at: a mark that is not whole yet is left for the next time. */
static const char *look_through(
    struct streams *streams, const struct stream *stream, const char *text)
{
    const char *done = text;

    for (const char *found; (found = strstr(done, message_mark)); done = found + 1) {
        const char *at = found + sizeof(message_mark) - 1;
        if (strlen(at) < time_length)
            return found - CARRY_BYTES / 2 > done ? found - CARRY_BYTES / 2 : done;
        note_message(streams, stream, seq_before(text, found), at);
    }
    return done;
}

static void read_stream(struct streams *streams, struct stream *stream)
{
    static char buffer[CARRY_BYTES + READ_BYTES + 1];
    ssize_t got = recv(stream->fd, buffer + stream->n_carried, READ_BYTES, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        streams->n_lost++;
        (void)close(stream->fd);
        return;
    }
    memcpy(buffer, stream->carry, stream->n_carried);
    size_t have = stream->n_carried + (size_t)got;
    buffer[have] = '\0';
    if (!stream->synced && strstr(buffer, sync_mark)) {
        stream->synced = true;
        streams->n_synced++;
    }
    const char *rest = look_through(streams, stream, buffer);
    size_t n_left = have - (size_t)(rest - buffer);
    stream->n_carried = n_left < CARRY_BYTES ? n_left : CARRY_BYTES;
    memcpy(stream->carry, buffer + have - stream->n_carried, stream->n_carried);
}

/* True while the input goes on. */
static bool wait_once(struct streams *streams)
{
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(streams->epoll, events, EVENTS, MILLISECONDS);

    for (int i = 0; i < ready; i++) {
        if (!events[i].data.ptr)
            return false;
        read_stream(streams, events[i].data.ptr);
    }
    return true;
}

static void print_result(const struct streams *streams)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf(
        "{\"streams\": %llu, \"lost\": %llu, \"messages\": %llu, \"p50_us\": %.1f, "
        "\"p99_us\": %.1f, \"max_us\": %.1f, \"client_cpu_seconds\": %.3f}\n",
        (unsigned long long)streams->n, (unsigned long long)streams->n_lost,
        (unsigned long long)streams->n_messages, histogram_quantile_us(&streams->age, 0.5),
        histogram_quantile_us(&streams->age, 0.99), (double)streams->age.max_ns / MILLISECONDS,
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

static void write_arrivals(const struct streams *streams, const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file)
        measure_die("--arrivals", strerror(errno));
    for (uint64_t i = 0; i < streams->n_messages; i++) {
        const struct arrival *a = &streams->arrivals[i];
        (void)fprintf(file, "%u\t%lld\t%lld\n", a->stream, (long long)a->seq, (long long)a->at_us);
    }
    if (fclose(file) != 0)
        measure_die("--arrivals", strerror(errno));
}

int main(int argc, char **arguments)
{
    static struct streams streams = {.prefix = "bench", .n = 1000};
    const char *url = "http://127.0.0.1:8080";
    const char *token_file = "";
    const char *arrivals = "";
    struct epoll_event input = {.events = EPOLLIN};
    const struct option known[] = {
        {"--url", OPTION_TEXT, &url},
        {"--token-file", OPTION_TEXT, &token_file},
        {"--prefix", OPTION_TEXT, &streams.prefix},
        {"--streams", OPTION_NUMBER, &streams.n},
        {"--arrivals", OPTION_TEXT, &arrivals},
        {0},
    };

    (void)argc;
    options_read(known, arguments);
    parse_url(&streams.address, url);
    FILE *file = fopen(token_file, "re");
    if (!file || !fgets(streams.token, sizeof(streams.token), file))
        measure_die("--token-file", strerror(errno));
    (void)fclose(file);
    streams.token[strcspn(streams.token, "\r\n")] = '\0';
    streams.epoll = epoll_create1(EPOLL_CLOEXEC);
    streams.list = calloc(streams.n, sizeof(*streams.list));
    if (streams.epoll < 0 || !streams.list ||
        epoll_ctl(streams.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0)
        measure_die("start", strerror(errno));

    while (streams.n_synced < streams.n) {
        while (streams.n_opened < streams.n && streams.n_opened - streams.n_synced < OPENING_MOST)
            open_next(&streams);
        if (!wait_once(&streams) || streams.n_lost)
            measure_die("streams", "ended before they had caught up");
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
    while (wait_once(&streams))
        ;
    if (*arrivals)
        write_arrivals(&streams, arrivals);
    print_result(&streams);
    free(streams.arrivals);
    return 0;
}
