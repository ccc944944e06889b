#include "http/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sse.h"
#include "http/token.h"
#include "ops/dispatch.h"
#include "ops/event.h"

#define HEARTBEAT_US (15 * USEC_PER_SEC)
#define WALK_EVERY_US USEC_PER_SEC
/* For what is sent last: a client that does not take it is not waited for. */
#define LAST_WORDS_US USEC_PER_SEC
/* A client that has gone without a word is found out by the heartbeat that it does not acknowledge.
 */
#define UNACKNOWLEDGED_MS 30000
/* What the kernel holds for a client that does not read. */
#define UNSENT_BYTES (128 << 10)
#define EVENTS 256
#define NO_SOCKET (-1)

/* A chunk on its way: its length, its bytes, its end. */
#define CHUNK_HEAD 20
#define CHUNK_END "\r\n"
#define LAST_CHUNK "0\r\n\r\n"

enum phase {
    PHASE_NEW,   /* not started; the request's */
    PHASE_PAGES, /* catching up: the operation is called for one page after the other */
    PHASE_LIVE,  /* the store gives it what is new */
    PHASE_LAST,  /* its last words are on their way */
};

struct stream {
    struct watch watch; /* first: the store knows the stream by it */
    struct streams *owner;
    int fd;
    enum phase phase;
    bool waits_to_write; /* for EPOLLOUT */
    bool in_hands;       /* an operation is at work for it */
    TAILQ_ENTRY(stream) in_all;

    /* What is being sent. */
    struct piece *piece;
    char head[CHUNK_HEAD];
    size_t n_sent; /* of head, piece and end together */
    int64_t deadline_us;
    int64_t last_sent_us;
    int64_t expires_at_us; /* of the token, by the wall clock */
    struct piece *next;    /* given while a heartbeat was being sent */
    bool parked;           /* the store may give it something */
    enum err_code end;     /* why it is to end; or ERR_NONE */

    /* While it catches up. */
    struct op *op;
    struct arena *arena;      /* of the request */
    struct arena *page_arena; /* of the page that is being sent, or made */

    /* From other threads, under the owner's mutex. */
    TAILQ_ENTRY(stream) in_inbox;
    bool is_in_inbox;
    bool started;
    bool paged;
    int page_result;
    struct piece *given;
    enum err_code given_end;
};

TAILQ_HEAD(stream_list, stream);

struct streams {
    struct services *services;
    int epoll;
    int wake;        /* an eventfd: there is something in the inbox */
    int dead_socket; /* what libmicrohttpd gets in place of a stream's */
    struct piece *heartbeat;

    pthread_mutex_t mutex;
    struct stream_list inbox;
    bool stopping;
    bool complete;       /* no other will be started */
    atomic_size_t count; /* that have been started and are not freed */

    struct stream_list all; /* of the thread alone */
    pthread_t thread;
    bool running;
};

/* ---- the inbox ---- */

/* With the mutex held. */
static void put_in_inbox(struct stream *stream)
{
    struct streams *s = stream->owner;

    if (stream->is_in_inbox)
        return;
    stream->is_in_inbox = true;
    if (TAILQ_EMPTY(&s->inbox))
        eventfd_write(s->wake, 1);
    TAILQ_INSERT_TAIL(&s->inbox, stream, in_inbox);
}

/* From the store. */
static void take(struct watch *watch, struct piece *piece, enum err_code end)
{
    struct stream *stream = (struct stream *)watch;

    pthread_mutex_lock(&stream->owner->mutex);
    if (piece)
        stream->given = piece_share(piece);
    if (end != ERR_NONE)
        stream->given_end = end;
    put_in_inbox(stream);
    pthread_mutex_unlock(&stream->owner->mutex);
}

/* From the thread that has made the next page. */
static void page_done(struct op *op, int result)
{
    struct stream *stream = op->owner;

    pthread_mutex_lock(&stream->owner->mutex);
    stream->paged = true;
    stream->page_result = result;
    put_in_inbox(stream);
    pthread_mutex_unlock(&stream->owner->mutex);
}

/* ---- coming and going ---- */

struct stream *stream_new(struct streams *streams)
{
    struct stream *stream = mem_alloc(sizeof(*stream));

    stream->owner = streams;
    stream->fd = NO_SOCKET;
    stream->watch.take = take;
    return stream;
}

struct watch *stream_watch(struct stream *stream)
{
    return &stream->watch;
}

void stream_discard(struct stream *stream)
{
    if (!stream)
        return;
    event_stream_close(stream->owner->services, &stream->watch);
    if (stream->fd != NO_SOCKET)
        close(stream->fd);
    free(stream);
}

int stream_take_socket(struct stream *stream, int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    /* libmicrohttpd does not wait for a connection that was suspended until now, so its epoll does
     * not know the socket; it will shut down and close the number, which is no more ours. */
    if (own < 0)
        return -1;
    if (dup3(stream->owner->dead_socket, fd, O_CLOEXEC) < 0) {
        close(own);
        return -1;
    }
    stream->fd = own;
    return 0;
}

static void set_options(int fd)
{
    const int on = 1;
    const int unsent_bytes = UNSENT_BYTES;
    const unsigned unacknowledged_ms = UNACKNOWLEDGED_MS;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &unsent_bytes, sizeof(unsent_bytes));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof(unacknowledged_ms));
}

/* The head goes out with the first page, as a piece that is no chunk. */
void stream_start(struct stream *takes, struct text head, struct op *op, struct arena *takes_arena)
{
    struct stream *stream = takes;
    struct streams *s = stream->owner;
    buf_auto first = BUF(SIZE_MAX);

    buf_text(&first, head);
    buf_printf(&first, "%zx\r\n", op->raw.len);
    buf_text(&first, op->raw);
    buf_text(&first, TEXT(CHUNK_END));
    stream->piece = piece_new(buf_as_text(&first));
    stream->op = op;
    stream->arena = takes_arena;
    stream->phase = PHASE_PAGES;
    stream->expires_at_us = op->caller.expires_at_us + TOKEN_LEEWAY_SECONDS * USEC_PER_SEC;
    set_options(stream->fd);
    atomic_fetch_add(&s->count, 1);
    pthread_mutex_lock(&s->mutex);
    stream->started = true;
    put_in_inbox(stream);
    pthread_mutex_unlock(&s->mutex);
}

/* Its client has gone, or has been told all. What is in another's hands stays until it comes back,
 * and known to the store: the operation at work would take a watch that is closed for a new one. */
static void close_stream(struct stream *stream)
{
    struct streams *s = stream->owner;

    if (stream->fd != NO_SOCKET) {
        close(stream->fd);
        stream->fd = NO_SOCKET;
        TAILQ_REMOVE(&s->all, stream, in_all);
        piece_drop(TAKE(stream->piece));
    }
    if (stream->in_hands)
        return;
    event_stream_close(s->services, &stream->watch);
    pthread_mutex_lock(&s->mutex);
    if (stream->is_in_inbox)
        TAILQ_REMOVE(&s->inbox, stream, in_inbox);
    pthread_mutex_unlock(&s->mutex);
    piece_drop(stream->given);
    piece_drop(stream->next);
    arena_free(stream->page_arena);
    arena_free(stream->arena);
    free(stream);
    atomic_fetch_sub(&s->count, 1);
}

/* ---- sending ---- */

static void go_on(struct stream *stream);

static void wait_to_write(struct stream *stream, bool on)
{
    struct epoll_event event = {.events = EPOLLRDHUP | (on ? EPOLLOUT : 0), .data.ptr = stream};

    if (stream->waits_to_write == on)
        return;
    stream->waits_to_write = on;
    epoll_ctl(stream->owner->epoll, EPOLL_CTL_MOD, stream->fd, &event);
}

/* Cuts off what has been sent. */
static int unsent(const struct stream *stream, struct iovec parts[3])
{
    struct iovec all[3] = {
        {(void *)(uintptr_t)stream->head, strlen(stream->head)},
        {stream->piece->bytes, stream->piece->len},
        {(void *)(uintptr_t)CHUNK_END, stream->head[0] ? sizeof(CHUNK_END) - 1 : 0},
    };
    size_t n_skip = stream->n_sent;
    int n = 0;

    for (size_t i = 0; i < 3; i++) {
        size_t skip = n_skip < all[i].iov_len ? n_skip : all[i].iov_len;
        n_skip -= skip;
        if (skip < all[i].iov_len)
            parts[n++] = (struct iovec){(char *)all[i].iov_base + skip, all[i].iov_len - skip};
    }
    return n;
}

/* False when the connection is broken. When all is sent, stream->piece is NULL. */
static bool send_some(struct stream *stream)
{
    struct iovec parts[3];

    for (int n; (n = unsent(stream, parts)) > 0;) {
        const struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)n};
        ssize_t sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            wait_to_write(stream, true);
            return true;
        }
        if (sent < 0)
            return false;
        stream->n_sent += (size_t)sent;
    }
    wait_to_write(stream, false);
    stream->last_sent_us = clock_mono_us();
    piece_drop(TAKE(stream->piece));
    return true;
}

static void send_on(struct stream *stream)
{
    if (!send_some(stream))
        close_stream(stream);
    else if (!stream->piece)
        go_on(stream);
}

/* Takes the piece. `is_chunk` false: it stands for itself. */
static void send_piece(struct stream *stream, struct piece *piece, bool is_chunk, int64_t time_us)
{
    stream->piece = piece;
    stream->n_sent = 0;
    stream->head[0] = '\0';
    if (is_chunk)
        snprintf(stream->head, sizeof(stream->head), "%zx\r\n", piece->len);
    stream->deadline_us = clock_mono_us() + time_us;
    send_on(stream);
}

static int64_t patience_us(const struct stream *stream)
{
    if (stream->end == ERR_SHUTTING_DOWN)
        return LAST_WORDS_US;
    return stream->owner->services->settings->reply_timeout_s * USEC_PER_SEC;
}

/* ---- the end ---- */

static void log_end(const struct stream *stream, const char *why)
{
    log_event(LOG_INFO, "stream_ended", LOG_INT("owner", stream->watch.owner), LOG_STR("why", why));
}

/* A client learns why, and that its reply is whole. One that still has something before it to take
 * learns it then. */
static void say_last_words(struct stream *stream)
{
    const struct err_info *info = err_info(stream->end);
    buf_auto json = BUF(512);
    buf_auto event = BUF(1024);
    buf_auto text = BUF(1024);

    buf_printf(
        &json, "{\"code\":\"%s\",\"retryable\":%s}", info->code,
        err_is_transient(stream->end) ? "true" : "false");
    sse_write(&event, TEXT("closed"), FIELD_ABSENT, buf_as_text(&json));
    buf_printf(&text, "%zx\r\n%.*s" CHUNK_END LAST_CHUNK, event.len, TEXT_ARG(buf_as_text(&event)));
    stream->phase = PHASE_LAST;
    log_end(stream, info->code);
    send_piece(stream, piece_new(buf_as_text(&text)), false, LAST_WORDS_US);
}

static void end_stream(struct stream *stream, enum err_code why)
{
    if (stream->phase == PHASE_LAST)
        return;
    stream->end = why;
    if (!stream->piece)
        say_last_words(stream);
    else if (why == ERR_SHUTTING_DOWN)
        stream->deadline_us = clock_mono_us() + patience_us(stream);
}

/* ---- what comes next ---- */

/* Its operation, on a reader thread as before; that it has to wait there is its client's patience.
 */
static void ask_for_page(struct stream *stream)
{
    struct op *op = stream->op;
    const struct settings *settings = stream->owner->services->settings;

    arena_free(stream->page_arena);
    stream->page_arena = arena_new();
    op->arena = stream->page_arena;
    err_init(op->err, stream->page_arena);
    op->raw = TEXT_ABSENT;
    op->more = false;
    op->owner = stream;
    op->done = page_done;
    op->deadline_us = clock_mono_us() + settings->request_timeout_s * USEC_PER_SEC;
    stream->in_hands = true;
    op_dispatch(op);
}

static void park(struct stream *stream)
{
    if (stream->parked)
        return;
    stream->parked = true;
    event_stream_park(stream->owner->services, &stream->watch);
}

static void go_live(struct stream *stream)
{
    arena_free(TAKE(stream->page_arena));
    arena_free(TAKE(stream->arena));
    stream->op = NULL;
    stream->phase = PHASE_LIVE;
    park(stream);
}

/* When all has been sent. */
static void go_on(struct stream *stream)
{
    if (stream->phase == PHASE_LAST) {
        shutdown(stream->fd, SHUT_WR);
        close_stream(stream);
    } else if (stream->next) {
        send_piece(stream, TAKE(stream->next), true, patience_us(stream));
    } else if (stream->end != ERR_NONE) {
        say_last_words(stream);
    } else if (stream->phase == PHASE_LIVE) {
        park(stream);
    } else if (stream->op->more) {
        ask_for_page(stream);
    } else {
        go_live(stream);
    }
}

static void send_page(struct stream *stream, int result)
{
    stream->in_hands = false;
    if (stream->fd == NO_SOCKET)
        close_stream(stream);
    else if (stream->phase == PHASE_LAST)
        return;
    else if (result != 0)
        end_stream(stream, stream->op->err->code);
    else
        send_piece(stream, piece_new(stream->op->raw), true, patience_us(stream));
}

static void send_news(struct stream *stream, struct piece *news)
{
    stream->parked = false;
    if (stream->phase == PHASE_LAST)
        piece_drop(news);
    else if (stream->piece)
        stream->next = news;
    else
        send_piece(stream, news, true, patience_us(stream));
}

static void begin(struct stream *stream)
{
    struct streams *s = stream->owner;
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = stream};
    struct piece *first = TAKE(stream->piece);

    TAILQ_INSERT_TAIL(&s->all, stream, in_all);
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, stream->fd, &event) != 0) {
        piece_drop(first);
        close_stream(stream);
        return;
    }
    send_piece(stream, first, false, patience_us(stream));
}

/* ---- the thread ---- */

/* Each call may free the stream. */
static void look_after(struct stream *stream)
{
    struct streams *s = stream->owner;

    pthread_mutex_lock(&s->mutex);
    bool started = stream->started;
    bool paged = stream->paged;
    int result = stream->page_result;
    struct piece *given = TAKE(stream->given);
    enum err_code end = s->stopping ? ERR_SHUTTING_DOWN : stream->given_end;
    stream->started = stream->paged = false;
    pthread_mutex_unlock(&s->mutex);

    if (end != ERR_NONE && stream->phase != PHASE_LAST)
        stream->end = end;
    if (started)
        begin(stream);
    else if (paged)
        send_page(stream, result);
    else if (given)
        send_news(stream, given);
    else if (end != ERR_NONE)
        end_stream(stream, end);
}

static void empty_inbox(struct streams *s)
{
    struct stream *stream;
    eventfd_t count;

    eventfd_read(s->wake, &count);
    for (;;) {
        pthread_mutex_lock(&s->mutex);
        stream = TAILQ_FIRST(&s->inbox);
        if (stream) {
            TAILQ_REMOVE(&s->inbox, stream, in_inbox);
            stream->is_in_inbox = false;
        }
        pthread_mutex_unlock(&s->mutex);
        if (!stream)
            return;
        look_after(stream);
    }
}

static void send_heartbeat(struct stream *stream)
{
    struct piece *heartbeat = piece_share(stream->owner->heartbeat);

    send_piece(stream, heartbeat, true, patience_us(stream));
}

static void look_at_time(struct stream *stream, int64_t now_us, int64_t wall_us)
{
    struct streams *s = stream->owner;

    if (stream->piece && now_us > stream->deadline_us) {
        atomic_fetch_add(&s->services->metrics->streams_slow, 1);
        log_end(stream, "slow");
        close_stream(stream);
    } else if (wall_us >= stream->expires_at_us) {
        end_stream(stream, ERR_UNAUTHENTICATED);
    } else if (
        stream->phase == PHASE_LIVE && !stream->piece &&
        now_us - stream->last_sent_us >= HEARTBEAT_US) {
        send_heartbeat(stream);
    }
}

/* A walk over 10,000 streams takes half a millisecond. */
static void look_at_times(struct streams *s)
{
    int64_t now_us = clock_mono_us();
    int64_t wall_us = clock_now_us();
    struct stream *next;

    for (struct stream *stream = TAILQ_FIRST(&s->all); stream; stream = next) {
        next = TAILQ_NEXT(stream, in_all);
        look_at_time(stream, now_us, wall_us);
    }
}

static void end_all(struct streams *s)
{
    struct stream *next;

    for (struct stream *stream = TAILQ_FIRST(&s->all); stream; stream = next) {
        next = TAILQ_NEXT(stream, in_all);
        end_stream(stream, ERR_SHUTTING_DOWN);
    }
}

static void look_at_socket(struct stream *stream, uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        log_end(stream, "gone");
        close_stream(stream);
    } else if (stream->piece) {
        send_on(stream);
    }
}

/* Sockets first: each stands there once, and only its own stream is freed by it. */
static void look_at_sockets(struct streams *s, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(s->epoll, events, EVENTS, timeout_ms);

    for (int i = 0; i < n; i++)
        if (events[i].data.ptr)
            look_at_socket(events[i].data.ptr, events[i].events);
}

static bool is_set(struct streams *s, const bool *flag)
{
    pthread_mutex_lock(&s->mutex);
    bool set = *flag;
    pthread_mutex_unlock(&s->mutex);
    return set;
}

/* A request that was at work when the server was told to stop may still start a stream: it is told
 * so, and ends. */
static void *work(void *streams)
{
    struct streams *s = streams;
    int64_t next_walk_us = clock_mono_us() + WALK_EVERY_US;
    bool ending = false;

    while (!is_set(s, &s->complete) || streams_count(s) > 0) {
        int64_t left_us = next_walk_us - clock_mono_us();
        look_at_sockets(s, left_us > 0 ? (int)(left_us / 1000) + 1 : 0);
        empty_inbox(s);
        if (!ending && is_set(s, &s->stopping)) {
            ending = true;
            end_all(s);
        }
        if (clock_mono_us() >= next_walk_us) {
            look_at_times(s);
            next_walk_us = clock_mono_us() + (ending ? WALK_EVERY_US / 10 : WALK_EVERY_US);
        }
    }
    return NULL;
}

/* ---- life ---- */

/* A socket whose other end is closed. */
static int make_dead_socket(void)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return NO_SOCKET;
    close(pair[1]);
    return pair[0];
}

static bool open_files(struct streams *s)
{
    struct epoll_event event = {.events = EPOLLIN};

    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->dead_socket = make_dead_socket();
    return s->epoll >= 0 && s->wake >= 0 && s->dead_socket >= 0 &&
           epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->wake, &event) == 0;
}

struct streams *streams_new(struct services *borrows)
{
    struct streams *s = mem_alloc(sizeof(*s));

    s->services = borrows;
    s->heartbeat = piece_new(TEXT(":\n\n"));
    pthread_mutex_init(&s->mutex, NULL);
    TAILQ_INIT(&s->inbox);
    TAILQ_INIT(&s->all);
    s->running = open_files(s) && pthread_create(&s->thread, NULL, work, s) == 0;
    if (s->running)
        return s;
    streams_free(s);
    return NULL;
}

static void tell(struct streams *s, bool *flag)
{
    pthread_mutex_lock(&s->mutex);
    *flag = true;
    pthread_mutex_unlock(&s->mutex);
    eventfd_write(s->wake, 1);
}

void streams_stop(struct streams *streams)
{
    tell(streams, &streams->stopping);
}

void streams_free(struct streams *streams)
{
    const int files[] = {streams->epoll, streams->wake, streams->dead_socket};

    if (streams->running) {
        streams_stop(streams);
        tell(streams, &streams->complete);
        pthread_join(streams->thread, NULL);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (files[i] >= 0)
            close(files[i]);
    piece_drop(streams->heartbeat);
    pthread_mutex_destroy(&streams->mutex);
    free(streams);
}

size_t streams_count(struct streams *streams)
{
    return atomic_load(&streams->count);
}
