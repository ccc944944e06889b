#include "store/sender.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "store/batch.h"
#include "store/connector.h"

/* A call costs as much as some ten messages before it stores the first. So a thread takes what
 * waits at once when no other is at work; beside another it joins in when a fair part of all there
 * is waits, or a whole batch, or when the other has been at it for long. What is left goes with the
 * next batch, which begins when that one's ends. A quarter, because two threads share what there
 * is with the answers to the last batches, which are on their way. */
#define FAIR_PART 4
#define JOIN_AFTER_US (20 * 1000)

/* How many that must wait for another thread's users are passed over before the search for a batch
 * ends. */
#define PASSED_OVER_MAX 1024

/* The users in one thread's hands, as hashes: open addressing, emptied by a new generation. A false
 * hit makes a message wait a moment longer than it must; nothing else. */
#define HELD_SLOTS                                                                                 \
    8192 /* a power of two; at least twice the 2 * 1024 users of the largest batch                 \
          */

struct held {
    uint64_t generation;
    struct {
        uint64_t user;
        uint64_t generation;
    } slots[HELD_SLOTS];
};

struct worker {
    struct sender *sender;
    pthread_t thread;
    struct held held;
};

struct sender {
    const struct settings *settings;
    const struct db_config *config;
    struct metrics *metrics;
    atomic_int n_connected;
    struct users *users;

    pthread_mutex_t mutex;
    pthread_cond_t changed; /* the line was filled, or users were given back */
    pthread_cond_t stopped; /* what threads without a connection wait for */
    struct send *first;
    struct send **last;
    size_t n_waiting;
    size_t n_asleep;
    size_t n_busy;         /* threads with a batch in their hands */
    size_t n_in_hands;     /* messages in those batches */
    size_t n_lately;       /* most that were in hands or waiting, of late */
    int64_t last_taken_us; /* monotonic: when the newest of those was taken */
    bool stopping;

    size_t n_workers;
    struct worker workers[];
};

/* ---- users in hands; under the mutex ---- */

static bool held_has(const struct held *held, uint64_t user)
{
    for (size_t i = user & (HELD_SLOTS - 1);; i = (i + 1) & (HELD_SLOTS - 1)) {
        if (held->slots[i].generation != held->generation)
            return false;
        if (held->slots[i].user == user)
            return true;
    }
}

static void held_add(struct held *held, uint64_t user)
{
    size_t i = user & (HELD_SLOTS - 1);

    while (held->slots[i].generation == held->generation) {
        if (held->slots[i].user == user)
            return;
        i = (i + 1) & (HELD_SLOTS - 1);
    }
    held->slots[i].user = user;
    held->slots[i].generation = held->generation;
}

static void held_clear(struct held *held)
{
    held->generation++;
}

static bool is_held_by_others(
    const struct sender *s, const struct worker *self, const struct send *send)
{
    for (size_t i = 0; i < s->n_workers; i++) {
        const struct worker *other = &s->workers[i];
        if (other != self &&
            (held_has(&other->held, send->users[0]) || held_has(&other->held, send->users[1])))
            return true;
    }
    return false;
}

/* ---- the line; under the mutex ---- */

static void unlink_send(struct sender *s, struct send **at)
{
    struct send *send = *at;

    *at = send->next;
    if (!*at)
        s->last = at;
    send->next = NULL;
    s->n_waiting--;
}

/* From the front, in order; what other threads' users keep waiting stays in its place. Two messages
 * of the same pair stay in order: what keeps the first waiting keeps the second waiting too. */
static size_t take_batch(struct sender *s, struct worker *self, struct send **ret)
{
    size_t n = 0;
    size_t n_passed_over = 0;
    struct send **at = &s->first;

    while (*at && n < (size_t)s->settings->send_batch && n_passed_over < PASSED_OVER_MAX) {
        struct send *send = *at;
        if (is_held_by_others(s, self, send)) {
            n_passed_over++;
            at = &send->next;
            continue;
        }
        unlink_send(s, at);
        held_add(&self->held, send->users[0]);
        held_add(&self->held, send->users[1]);
        ret[n++] = send;
    }
    return n;
}

static struct send *take_first(struct sender *s)
{
    struct send *send = s->first;

    if (send)
        unlink_send(s, &s->first);
    return send;
}

/* ---- threads ---- */

static void refuse(struct send *send, enum err_code code, const char *detail)
{
    send->done(send, err_set(send->err, code, "%s", detail));
}

static void refuse_all(struct sender *s, enum err_code code, const char *detail)
{
    struct send *send;

    pthread_mutex_lock(&s->mutex);
    while ((send = take_first(s))) {
        pthread_mutex_unlock(&s->mutex);
        refuse(send, code, detail);
        pthread_mutex_lock(&s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
}

/* Those that have waited too long are refused; returns how many are left. */
static size_t refuse_late(struct send **sends, size_t n)
{
    int64_t now = clock_mono_us();
    size_t n_left = 0;

    for (size_t i = 0; i < n; i++) {
        if (now > sends[i]->deadline_us)
            refuse(sends[i], ERR_OVERLOADED, "the message waited too long for the database");
        else
            sends[n_left++] = sends[i];
    }
    return n_left;
}

static void give_back_users(struct sender *s, struct worker *self, size_t n_taken)
{
    pthread_mutex_lock(&s->mutex);
    held_clear(&self->held);
    s->n_busy--;
    s->n_in_hands -= n_taken;
    if (s->n_asleep && s->first)
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static size_t worth_joining(const struct sender *s)
{
    size_t part = s->n_lately / FAIR_PART;
    size_t whole = (size_t)s->settings->send_batch;

    return part > whole ? whole : part ? part : 1;
}

static bool is_worth_taking(const struct sender *s)
{
    return s->n_busy == 0 || s->n_waiting >= worth_joining(s) ||
           clock_mono_us() - s->last_taken_us > JOIN_AFTER_US;
}

/* What is taken is given back by give_back_users. */
static size_t try_to_take(struct worker *self, struct db *db, struct send **ret)
{
    struct sender *s = self->sender;

    if (!s->first || !is_worth_taking(s) || !db_is_alive(db))
        return 0;
    size_t n = take_batch(s, self, ret);
    if (n) {
        size_t n_now = s->n_in_hands + n + s->n_waiting;
        s->n_lately = n_now > s->n_lately ? n_now : s->n_lately - s->n_lately / 8;
        s->n_in_hands += n;
        s->n_busy++;
        s->last_taken_us = clock_mono_us();
    }
    return n;
}

/* Without a connection a thread waits apart: no wake-up shall be lost on it. */
static void wait_for_connection(struct sender *s, int64_t patience_us)
{
    pthread_mutex_lock(&s->mutex);
    if (!s->stopping)
        cond_wait_us(&s->stopped, &s->mutex, patience_us);
    if (s->n_asleep && s->first)
        pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static size_t wait_for_batch(
    struct worker *self, struct db *db, int64_t patience_us, struct send **ret)
{
    struct sender *s = self->sender;

    pthread_mutex_lock(&s->mutex);
    size_t n = try_to_take(self, db, ret);
    if (n == 0 && !s->stopping) {
        if (s->first && patience_us > JOIN_AFTER_US)
            patience_us = JOIN_AFTER_US;
        s->n_asleep++;
        cond_wait_us(&s->changed, &s->mutex, patience_us);
        s->n_asleep--;
        n = try_to_take(self, db, ret);
    }
    pthread_mutex_unlock(&s->mutex);
    return n;
}

static bool is_stopping(struct sender *s)
{
    pthread_mutex_lock(&s->mutex);
    bool stopping = s->stopping && !s->first;
    pthread_mutex_unlock(&s->mutex);
    return stopping;
}

static void *work(void *worker)
{
    struct worker *self = worker;
    struct sender *s = self->sender;
    struct db *db = db_new(s->config);
    struct send **sends = mem_alloc(sizeof(*sends) * (size_t)s->settings->send_batch);
    struct batcher batcher = {db, s->users, s->metrics};
    struct connector connector;

    connector_init(&connector, db, &s->n_connected);
    while (!is_stopping(s)) {
        bool ready = connector_ready(&connector);
        if (!ready && !connector_any(&connector))
            refuse_all(s, ERR_DATABASE_UNAVAILABLE, "there is no connection");
        if (!ready) {
            wait_for_connection(s, connector_patience_us(&connector));
            continue;
        }
        size_t n_taken = wait_for_batch(self, db, connector_patience_us(&connector), sends);
        if (n_taken == 0)
            continue;
        size_t n = refuse_late(sends, n_taken);
        if (n)
            batch_store(&batcher, sends, n);
        give_back_users(s, self, n_taken);
    }
    free(sends);
    connector_done(&connector);
    db_free(db);
    return NULL;
}

/* ---- life ---- */

#define USERS_CACHED 131072

struct sender *sender_new(
    const struct settings *borrows,
    const struct db_config *borrows_config,
    struct metrics *borrows_metrics)
{
    struct sender *s = mem_alloc(sizeof(*s) + (size_t)borrows->senders * sizeof(struct worker));

    s->settings = borrows;
    s->config = borrows_config;
    s->metrics = borrows_metrics;
    s->users = users_new(USERS_CACHED);
    s->last = &s->first;
    pthread_mutex_init(&s->mutex, NULL);
    cond_init(&s->changed);
    cond_init(&s->stopped);
    return s;
}

void sender_free(struct sender *sender)
{
    if (!sender)
        return;
    users_free(sender->users);
    pthread_cond_destroy(&sender->stopped);
    pthread_cond_destroy(&sender->changed);
    pthread_mutex_destroy(&sender->mutex);
    free(sender);
}

int sender_start(struct sender *sender)
{
    size_t wanted = (size_t)sender->settings->senders;

    /* All are in place before the first one looks at the others. */
    for (size_t i = 0; i < wanted; i++) {
        sender->workers[i].sender = sender;
        sender->workers[i].held.generation = 1;
    }
    while (sender->n_workers < wanted) {
        struct worker *worker = &sender->workers[sender->n_workers];
        pthread_mutex_lock(&sender->mutex);
        int failed = pthread_create(&worker->thread, NULL, work, worker);
        if (!failed)
            sender->n_workers++;
        pthread_mutex_unlock(&sender->mutex);
        if (failed)
            return -1;
    }
    return 0;
}

void sender_stop(struct sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    sender->stopping = true;
    pthread_cond_broadcast(&sender->changed);
    pthread_cond_broadcast(&sender->stopped);
    pthread_mutex_unlock(&sender->mutex);
    refuse_all(sender, ERR_SHUTTING_DOWN, "the server is stopping");
    for (size_t i = 0; i < sender->n_workers; i++)
        pthread_join(sender->workers[i].thread, NULL);
}

bool sender_connected(struct sender *sender)
{
    return atomic_load(&sender->n_connected) > 0;
}

int sender_put(struct sender *sender, struct send *send)
{
    enum err_code refusal = ERR_NONE;

    send->next = NULL;
    send->users[0] = text_hash(send->from);
    send->users[1] = text_hash(send->to);
    pthread_mutex_lock(&sender->mutex);
    if (sender->stopping) {
        refusal = ERR_SHUTTING_DOWN;
    } else if (!sender_connected(sender)) {
        refusal = ERR_DATABASE_UNAVAILABLE;
    } else if (sender->n_waiting >= (size_t)sender->settings->send_queue) {
        refusal = ERR_OVERLOADED;
    } else {
        *sender->last = send;
        sender->last = &send->next;
        sender->n_waiting++;
        /* Beside a busy thread a sleeping one is woken to look at the clock, and when it may join
         * in. */
        bool wake = sender->n_busy == 0 || sender->n_waiting == 1 ||
                    sender->n_waiting % worth_joining(sender) == 0;
        if (sender->n_asleep && wake)
            pthread_cond_signal(&sender->changed);
    }
    pthread_mutex_unlock(&sender->mutex);
    if (refusal == ERR_NONE)
        return 0;
    if (refusal == ERR_SHUTTING_DOWN)
        return err_set(send->err, refusal, "the server is stopping");
    if (refusal == ERR_DATABASE_UNAVAILABLE)
        return err_set(send->err, refusal, "it is being tried again");
    atomic_fetch_add(&sender->metrics->refused_full, 1);
    return err_set(send->err, refusal, "too many messages wait to be stored");
}

size_t sender_waiting(struct sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    size_t n = sender->n_waiting;
    pthread_mutex_unlock(&sender->mutex);
    return n;
}
