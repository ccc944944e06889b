#include "http/connections.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

/* How late a connection may be cut off. A walk over 10,000 entries takes some 20 microseconds. */
#define WALK_EVERY_US (USEC_PER_SEC / 4)
/* Walks in a row that find a body arriving, and bytes of it that nobody reads: it has sent more
 * than there is room for, the first line of a chunk, say, that does not end. libmicrohttpd leaves
 * that be. */
#define WALKS_UNREAD 8
#define NO_DEADLINE INT64_MAX
#define PAST_ANY_DEADLINE (NO_DEADLINE - 1)
#define NO_SOCKET (-1)

struct connection {
    struct connections *owner;
    struct connection *next_free;
    int fd;       /* NO_SOCKET in entries that are free; guarded by owner->lock */
    bool crowded; /* it came when there were more than the soft limit */
    /* Written by the thread that serves the connection, read by the reaper. */
    atomic_int phase;
    atomic_int_least64_t deadline_us; /* monotonic */
    atomic_uint n_body_steps;         /* how often bytes of a body were taken */
    /* The reaper's own. */
    int n_walks_unread;
    int64_t seen_deadline_us; /* at the last walk: another one, and it has gone on */
    unsigned seen_body_steps; /* so it has when these are others */
};

struct connections {
    atomic_int_least64_t timeout_us[CONNECTION_PHASES];
    size_t limit;
    size_t soft_limit;
    atomic_size_t count;

    pthread_mutex_t lock; /* opening, closing and cutting off; never held for a change of phase */
    pthread_cond_t stop_wanted;
    bool stopping;
    bool running; /* there is a thread to join */
    pthread_t reaper;
    struct connection *free; /* the one given back last comes first: entries in use stay in front */
    size_t n_touched;        /* entries behind this were never in use */
    struct connection entries[];
};

static int64_t deadline_of(const struct connections *connections, enum connection_phase phase)
{
    int64_t timeout_us =
        atomic_load_explicit(&connections->timeout_us[phase], memory_order_relaxed);

    return timeout_us ? clock_mono_us() + timeout_us : NO_DEADLINE;
}

/* Only if the deadline is still the one that was missed: the connection may have gone on to its
 * next phase in this very moment. */
static bool cut_off(struct connection *connection, int64_t now_us)
{
    int64_t deadline_us = atomic_load_explicit(&connection->deadline_us, memory_order_relaxed);

    if (connection->fd == NO_SOCKET || deadline_us > now_us)
        return false;
    if (!atomic_compare_exchange_strong_explicit(
            &connection->deadline_us, &deadline_us, NO_DEADLINE, memory_order_relaxed,
            memory_order_relaxed))
        return false;
    shutdown(connection->fd, SHUT_RDWR);
    return true;
}

/* To be asked once a walk. */
static bool is_stuck(struct connection *connection, int phase)
{
    int64_t deadline_us = atomic_load_explicit(&connection->deadline_us, memory_order_relaxed);
    unsigned body_steps = atomic_load_explicit(&connection->n_body_steps, memory_order_relaxed);
    bool same =
        deadline_us == connection->seen_deadline_us && body_steps == connection->seen_body_steps;
    int unread = 0;

    if (phase == CONNECTION_BODY && same && connection->fd != NO_SOCKET)
        ioctl(connection->fd, FIONREAD, &unread);
    connection->n_walks_unread = unread > 0 ? connection->n_walks_unread + 1 : 0;
    connection->seen_deadline_us = deadline_us;
    connection->seen_body_steps = body_steps;
    return connection->n_walks_unread >= WALKS_UNREAD;
}

static void cut_off_late(struct connections *connections, size_t cut[CONNECTION_PHASES])
{
    int64_t now_us = clock_mono_us();

    for (size_t i = 0; i < connections->n_touched; i++) {
        struct connection *connection = &connections->entries[i];
        int phase = atomic_load_explicit(&connection->phase, memory_order_relaxed);
        bool stuck = is_stuck(connection, phase);
        if (cut_off(connection, stuck ? PAST_ANY_DEADLINE : now_us))
            cut[phase]++;
    }
}

/* Ends of idle connections are everyday and not worth a line. */
static void log_cut(const size_t cut[CONNECTION_PHASES])
{
    if (cut[CONNECTION_HEAD] || cut[CONNECTION_BODY] || cut[CONNECTION_WORK] ||
        cut[CONNECTION_REPLY])
        log_event(
            LOG_INFO, "connections_cut", LOG_INT("head", cut[CONNECTION_HEAD]),
            LOG_INT("body", cut[CONNECTION_BODY]), LOG_INT("work", cut[CONNECTION_WORK]),
            LOG_INT("reply", cut[CONNECTION_REPLY]));
}

static void wait_for_next_walk(struct connections *connections)
{
    int64_t until_us = clock_mono_us() + WALK_EVERY_US;
    struct timespec until = {until_us / USEC_PER_SEC, until_us % USEC_PER_SEC * 1000};

    while (!connections->stopping)
        if (pthread_cond_timedwait(&connections->stop_wanted, &connections->lock, &until) != 0)
            return;
}

static void *reap(void *argument)
{
    struct connections *connections = argument;

    pthread_mutex_lock(&connections->lock);
    while (!connections->stopping) {
        size_t cut[CONNECTION_PHASES] = {0};
        cut_off_late(connections, cut);
        log_cut(cut);
        wait_for_next_walk(connections);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

struct connections *connections_new(
    size_t limit, size_t soft_limit, const int64_t timeout_us[CONNECTION_PHASES])
{
    struct connections *connections =
        mem_alloc(sizeof(*connections) + limit * sizeof(connections->entries[0]));
    pthread_condattr_t monotonic;

    connections->limit = limit;
    connections->soft_limit = soft_limit;
    for (size_t phase = 0; phase < CONNECTION_PHASES; phase++)
        atomic_init(&connections->timeout_us[phase], timeout_us[phase]);
    pthread_mutex_init(&connections->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&connections->stop_wanted, &monotonic);
    pthread_condattr_destroy(&monotonic);
    connections->running = pthread_create(&connections->reaper, NULL, reap, connections) == 0;
    if (!connections->running) {
        connections_free(connections);
        return NULL;
    }
    return connections;
}

/* With the lock held. */
static void hurry_entry(struct connection *connection, int64_t deadline_us)
{
    int phase = atomic_load_explicit(&connection->phase, memory_order_relaxed);
    int64_t old_us = atomic_load_explicit(&connection->deadline_us, memory_order_relaxed);

    if (connection->fd == NO_SOCKET || (phase != CONNECTION_HEAD && phase != CONNECTION_BODY))
        return;
    /* When it goes on to its next phase in this very moment, that one's deadline stays. */
    if (deadline_us < old_us)
        atomic_compare_exchange_strong_explicit(
            &connection->deadline_us, &old_us, deadline_us, memory_order_relaxed,
            memory_order_relaxed);
}

void connections_hurry(struct connections *connections, int64_t at_most_us)
{
    static const enum connection_phase arriving[] = {CONNECTION_HEAD, CONNECTION_BODY};
    int64_t deadline_us = clock_mono_us() + at_most_us;

    for (size_t i = 0; i < sizeof(arriving) / sizeof(arriving[0]); i++) {
        atomic_int_least64_t *timeout_us = &connections->timeout_us[arriving[i]];
        if (*timeout_us == 0 || *timeout_us > at_most_us)
            atomic_store_explicit(timeout_us, at_most_us, memory_order_relaxed);
    }
    pthread_mutex_lock(&connections->lock);
    for (size_t i = 0; i < connections->n_touched; i++)
        hurry_entry(&connections->entries[i], deadline_us);
    pthread_mutex_unlock(&connections->lock);
}

void connections_stop(struct connections *connections)
{
    if (!connections->running)
        return;
    pthread_mutex_lock(&connections->lock);
    connections->stopping = true;
    pthread_cond_signal(&connections->stop_wanted);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->reaper, NULL);
    connections->running = false;
}

void connections_free(struct connections *connections)
{
    if (!connections)
        return;
    connections_stop(connections);
    pthread_cond_destroy(&connections->stop_wanted);
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

/* With the lock held. */
static struct connection *take_entry(struct connections *connections)
{
    struct connection *connection = connections->free;

    if (connection) {
        connections->free = connection->next_free;
        return connection;
    }
    if (connections->n_touched == connections->limit)
        return NULL;
    return &connections->entries[connections->n_touched++];
}

struct connection *connections_open(struct connections *connections, int fd)
{
    pthread_mutex_lock(&connections->lock);
    struct connection *connection = take_entry(connections);
    if (connection) {
        connection->owner = connections;
        connection->fd = fd;
        connection->crowded =
            atomic_fetch_add_explicit(&connections->count, 1, memory_order_relaxed) >=
            connections->soft_limit;
        atomic_store_explicit(&connection->phase, CONNECTION_HEAD, memory_order_relaxed);
        atomic_store_explicit(
            &connection->deadline_us, deadline_of(connections, CONNECTION_HEAD),
            memory_order_relaxed);
    }
    pthread_mutex_unlock(&connections->lock);

    if (!connection)
        shutdown(fd, SHUT_RDWR);
    return connection;
}

void connections_close(struct connections *connections, struct connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    connection->fd = NO_SOCKET;
    connection->next_free = connections->free;
    connections->free = connection;
    pthread_mutex_unlock(&connections->lock);
    atomic_fetch_sub_explicit(&connections->count, 1, memory_order_relaxed);
}

void connections_phase(struct connection *connection, enum connection_phase phase)
{
    if (!connection || atomic_load_explicit(&connection->phase, memory_order_relaxed) == (int)phase)
        return;
    atomic_store_explicit(&connection->phase, phase, memory_order_relaxed);
    atomic_store_explicit(
        &connection->deadline_us, deadline_of(connection->owner, phase), memory_order_relaxed);
}

void connections_body_goes_on(struct connection *connection)
{
    if (connection)
        atomic_fetch_add_explicit(&connection->n_body_steps, 1, memory_order_relaxed);
}

size_t connections_count(const struct connections *connections)
{
    return atomic_load_explicit(&connections->count, memory_order_relaxed);
}

bool connection_is_crowded(const struct connection *connection)
{
    return connection && connection->crowded;
}
