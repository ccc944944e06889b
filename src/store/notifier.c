#include "store/notifier.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "store/call.h"
#include "store/connector.h"
#include "store/rows.h"

/* How long a slice shall take, and how many users it may hold. */
#define SLICE_US (10 * 1000)
#define SLICE_LEAST 8
#define SLICE_MOST 1000
#define SLICE_FIRST 64
/* After a slice the thread rests for so many times as long as the slice took: what is left of the
 * machine is for sending. */
#define REST_TIMES 4
/* Between two looks while there is nothing to do, and the longest rest after a failure. */
#define IDLE_US (500 * 1000)

struct notifier {
    const struct db_config *config;
    struct metrics *metrics;
    atomic_int n_connected;
    int64_t slice;      /* users of the next one */
    int64_t backoff_us; /* after the failures in a row so far; 0: there were none */

    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool stopping;
    bool started;
    pthread_t thread;
};

static const struct statement notification_deliver = {
    .name = "notification_deliver",
    .sql = "select notification, looked_at, served from duet.notification_deliver(p_limit => $1)",
    .types = (const Oid[]){PG_INT8},
    .n_types = 1,
};

enum column { COLUMN_NOTIFICATION, COLUMN_LOOKED_AT, COLUMN_SERVED };

struct notifier *notifier_new(
    const struct db_config *borrows_config, struct metrics *borrows_metrics)
{
    struct notifier *n = mem_alloc(sizeof(*n));

    n->config = borrows_config;
    n->metrics = borrows_metrics;
    n->slice = SLICE_FIRST;
    pthread_mutex_init(&n->mutex, NULL);
    cond_init(&n->ended);
    return n;
}

void notifier_free(struct notifier *notifier)
{
    if (!notifier)
        return;
    pthread_cond_destroy(&notifier->ended);
    pthread_mutex_destroy(&notifier->mutex);
    free(notifier);
}

int notifier_check(struct db *db, char *why, size_t why_size)
{
    return statement_check(db, &notification_deliver, why, why_size);
}

static void resize(struct notifier *n, int64_t took_us)
{
    if (took_us > 2 * SLICE_US)
        n->slice /= 2;
    else if (took_us > SLICE_US)
        n->slice -= n->slice / 8;
    else if (took_us < SLICE_US / 2)
        n->slice += n->slice / 4;
    if (n->slice < SLICE_LEAST)
        n->slice = SLICE_LEAST;
    if (n->slice > SLICE_MOST)
        n->slice = SLICE_MOST;
}

/* One slice. Returns how long to wait before the next. */
static int64_t deliver(struct notifier *n, struct db *db)
{
    struct params params;
    struct db_error error;
    struct arena *arena = arena_new();
    int64_t begun = clock_mono_us();
    int64_t pause = IDLE_US;

    params_init(&params, arena);
    params_i64(&params, n->slice);
    db_result_auto *result = db_call_retrying(db, &notification_deliver, &params, &error);
    int64_t took = clock_mono_us() - begun;
    if (!result) {
        /* It met a mailbox that was locked for long, or a database in trouble. */
        n->slice = n->slice / 2 > SLICE_LEAST ? n->slice / 2 : SLICE_LEAST;
        n->backoff_us = n->backoff_us ? 2 * n->backoff_us : SLICE_US;
        pause = n->backoff_us < IDLE_US ? n->backoff_us : IDLE_US;
    } else {
        n->backoff_us = 0;
    }
    if (result && PQntuples(result) == 1 && !PQgetisnull(result, 0, COLUMN_NOTIFICATION)) {
        atomic_fetch_add(
            &n->metrics->notifications_delivered, (uint64_t)row_i64(result, 0, COLUMN_SERVED));
        /* A short page says nothing of what a full one would take. */
        if (took > SLICE_US || row_i64(result, 0, COLUMN_LOOKED_AT) == n->slice)
            resize(n, took);
        pause = REST_TIMES * took;
    }
    arena_free(arena);
    return pause;
}

/* True when the thread is to end. */
static bool rest(struct notifier *n, int64_t us)
{
    pthread_mutex_lock(&n->mutex);
    if (!n->stopping)
        cond_wait_us(&n->ended, &n->mutex, us);
    bool stopping = n->stopping;
    pthread_mutex_unlock(&n->mutex);
    return stopping;
}

static void *work(void *notifier)
{
    struct notifier *n = notifier;
    struct db *db = db_new(n->config);
    struct connector connector;
    int64_t pause = 0;

    connector_init(&connector, db, &n->n_connected);
    while (!rest(n, pause))
        pause = connector_ready(&connector) ? deliver(n, db) : connector_patience_us(&connector);
    connector_done(&connector);
    db_free(db);
    return NULL;
}

int notifier_start(struct notifier *notifier)
{
    notifier->started = pthread_create(&notifier->thread, NULL, work, notifier) == 0;
    return notifier->started ? 0 : -1;
}

void notifier_stop(struct notifier *notifier)
{
    pthread_mutex_lock(&notifier->mutex);
    notifier->stopping = true;
    pthread_cond_signal(&notifier->ended);
    pthread_mutex_unlock(&notifier->mutex);
    if (notifier->started)
        pthread_join(notifier->thread, NULL);
    notifier->started = false;
}
