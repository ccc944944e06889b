#include "store/readers.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "store/call.h"
#include "store/connector.h"
#include "store/request.h"

struct readers {
    const struct settings *settings;
    const struct db_config *config;
    struct metrics *metrics;
    atomic_int n_connected;
    const struct call *const *calls; /* by op->index; NULL where the operation makes its own */

    pthread_mutex_t mutex;
    pthread_cond_t filled;
    pthread_cond_t stopped; /* what threads without a connection wait for */
    struct op *first;
    struct op **last;
    size_t n_waiting;
    bool stopping;

    size_t n_threads;
    pthread_t threads[];
};

struct readers *readers_new(
    const struct settings *borrows,
    const struct db_config *borrows_config,
    struct metrics *borrows_metrics,
    const struct call *const *borrows_calls)
{
    size_t n_threads = (size_t)borrows->readers;
    struct readers *r = mem_alloc(sizeof(*r) + n_threads * sizeof(pthread_t));

    r->settings = borrows;
    r->config = borrows_config;
    r->metrics = borrows_metrics;
    r->calls = borrows_calls;
    r->last = &r->first;
    pthread_mutex_init(&r->mutex, NULL);
    cond_init(&r->filled);
    cond_init(&r->stopped);
    return r;
}

void readers_free(struct readers *readers)
{
    if (!readers)
        return;
    pthread_cond_destroy(&readers->stopped);
    pthread_cond_destroy(&readers->filled);
    pthread_mutex_destroy(&readers->mutex);
    free(readers);
}

static struct op *take_first(struct readers *r)
{
    struct op *op = r->first;

    if (!op)
        return NULL;
    r->first = op->next;
    if (!r->first)
        r->last = &r->first;
    r->n_waiting--;
    op->next = NULL;
    return op;
}

static void finish(struct op *op, int result)
{
    op->done(op, result);
}

static void refuse(struct op *op, enum err_code code, const char *detail)
{
    finish(op, err_set(op->err, code, "%s", detail));
}

static void run(struct readers *r, struct db *db, struct op *op)
{
    if (clock_mono_us() > op->deadline_us) {
        refuse(op, ERR_OVERLOADED, "the request waited too long for the database");
        return;
    }
    op->db = db;
    op->call = r->calls[op->index];
    int (*work)(struct op * op) = op->operation->run ? op->operation->run : store_call_one;
    /* A rehearsal leaves nothing, no key either. */
    bool once = request_has_key(op) && !call_is_rehearsal(op);
    int result = once ? request_run_once(op, work) : work(op);
    if (result != OP_WAITS)
        finish(op, result);
}

/* Without the database what waits is refused at once: nobody is better off for waiting longer. */
static void refuse_all(struct readers *r, enum err_code code, const char *detail)
{
    struct op *op;

    pthread_mutex_lock(&r->mutex);
    while ((op = take_first(r))) {
        pthread_mutex_unlock(&r->mutex);
        refuse(op, code, detail);
        pthread_mutex_lock(&r->mutex);
    }
    pthread_mutex_unlock(&r->mutex);
}

static void *work(void *readers)
{
    struct readers *r = readers;
    struct db *db = db_new(r->config);
    struct connector connector;

    connector_init(&connector, db, &r->n_connected);
    for (;;) {
        bool ready = connector_ready(&connector);
        if (!ready && !connector_any(&connector))
            refuse_all(r, ERR_DATABASE_UNAVAILABLE, "there is no connection");
        pthread_mutex_lock(&r->mutex);
        /* Without a connection a thread waits apart: no wake-up shall be lost on it. */
        if ((!r->first || !ready) && !r->stopping)
            cond_wait_us(
                ready ? &r->filled : &r->stopped, &r->mutex, connector_patience_us(&connector));
        bool stopping = r->stopping;
        bool alive = db_is_alive(db);
        struct op *op = alive ? take_first(r) : NULL;
        if (!alive && r->first)
            pthread_cond_signal(&r->filled); /* lost while asleep: the wake-up was another's */
        pthread_mutex_unlock(&r->mutex);
        if (op)
            run(r, db, op);
        else if (stopping)
            break;
    }
    connector_done(&connector);
    db_free(db);
    return NULL;
}

int readers_start(struct readers *readers)
{
    size_t wanted = (size_t)readers->settings->readers;

    while (readers->n_threads < wanted) {
        if (pthread_create(&readers->threads[readers->n_threads], NULL, work, readers) != 0)
            return -1;
        readers->n_threads++;
    }
    return 0;
}

void readers_stop(struct readers *readers)
{
    pthread_mutex_lock(&readers->mutex);
    readers->stopping = true;
    pthread_cond_broadcast(&readers->filled);
    pthread_cond_broadcast(&readers->stopped);
    pthread_mutex_unlock(&readers->mutex);
    refuse_all(readers, ERR_SHUTTING_DOWN, "the server is stopping");
    for (size_t i = 0; i < readers->n_threads; i++)
        pthread_join(readers->threads[i], NULL);
    refuse_all(readers, ERR_SHUTTING_DOWN, "the server is stopping");
}

bool readers_connected(struct readers *readers)
{
    return atomic_load(&readers->n_connected) > 0;
}

int readers_put(struct readers *readers, struct op *op)
{
    enum err_code refusal = ERR_NONE;

    op->next = NULL;
    pthread_mutex_lock(&readers->mutex);
    if (readers->stopping) {
        refusal = ERR_SHUTTING_DOWN;
    } else if (!readers_connected(readers)) {
        refusal = ERR_DATABASE_UNAVAILABLE;
    } else if (readers->n_waiting >= (size_t)readers->settings->read_queue) {
        refusal = ERR_OVERLOADED;
    } else {
        *readers->last = op;
        readers->last = &op->next;
        readers->n_waiting++;
        pthread_cond_signal(&readers->filled);
    }
    pthread_mutex_unlock(&readers->mutex);
    if (refusal == ERR_NONE)
        return 0;
    if (refusal == ERR_SHUTTING_DOWN)
        return err_set(op->err, refusal, "the server is stopping");
    if (refusal == ERR_DATABASE_UNAVAILABLE)
        return err_set(op->err, refusal, "it is being tried again");
    atomic_fetch_add(&readers->metrics->refused_full, 1);
    return err_set(op->err, refusal, "too many requests wait for the database");
}

size_t readers_waiting(struct readers *readers)
{
    pthread_mutex_lock(&readers->mutex);
    size_t n = readers->n_waiting;
    pthread_mutex_unlock(&readers->mutex);
    return n;
}
