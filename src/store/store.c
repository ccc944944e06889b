#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/archive.h"
#include "store/archiver.h"
#include "store/batch.h"
#include "store/call.h"
#include "store/jobs.h"
#include "store/listener.h"
#include "store/notifier.h"
#include "store/readers.h"
#include "store/request.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/sender.h"
#include "store/slices.h"

#define THREADS_START_US (3 * USEC_PER_SEC)

struct store {
    struct arena *arena; /* holds the statements */
    struct db_config config;
    struct call *calls;
    const struct call **by_index;
    size_t n_operations;
    struct sender *sender;
    struct readers *readers;
    struct jobs *jobs;
    struct notifier *notifier;
    struct archiver *archiver;
    const struct fields *archive_line;
    const struct settings *settings;
    const struct fields *entry; /* of a mailbox, as an operation that follows it has it */
    struct hub *hub;
    struct listener *listener;
};

/* ---- opening ---- */

static bool makes_call(const struct operation *operation)
{
    /* What fills its own input makes its own calls. */
    return operation->lane == LANE_READER && !operation->decode;
}

static void make_calls(
    struct store *store, const struct operation *const *operations, size_t n_operations)
{
    store->calls = arena_alloc(store->arena, sizeof(*store->calls) * n_operations);
    store->by_index = arena_alloc(store->arena, sizeof(*store->by_index) * n_operations);
    store->n_operations = n_operations;
    for (size_t i = 0; i < n_operations; i++) {
        if (!makes_call(operations[i]))
            continue;
        if (operations[i]->follows)
            store->entry = field_list(&operations[i]->out)->of;
        call_make(operations[i], store->arena, &store->calls[i]);
        store->by_index[i] = &store->calls[i];
    }
}

static int connect_within(struct db *db, int64_t seconds, char *why, size_t why_size)
{
    int64_t until = clock_mono_us() + seconds * USEC_PER_SEC;
    const struct timespec pause = {.tv_nsec = 500 * 1000 * 1000};

    while (!db_connect(db, LOG_WARN)) {
        if (clock_mono_us() >= until) {
            snprintf(
                why, why_size,
                "The database of DUET_DATABASE_URL cannot be reached; the log line before this one "
                "says "
                "why.");
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    return 0;
}

/* A server that would lose what it has answered for is not one to work with. */
static int check_durability(struct db *db, char *why, size_t why_size)
{
    static const char *const must_be_on[] = {"fsync", "full_page_writes"};

    for (size_t i = 0; i < sizeof(must_be_on) / sizeof(must_be_on[0]); i++) {
        char sql[64];
        snprintf(sql, sizeof(sql), "show %s", must_be_on[i]);
        db_result_auto *result = PQexec(db_handle(db), sql);
        if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "on") == 0)
            continue;
        snprintf(
            why, why_size,
            "The database runs with %s off and would lose messages in a crash; turn it on.",
            must_be_on[i]);
        return -1;
    }
    return 0;
}

static int check_version(struct db *db, char *why, size_t why_size)
{
    db_result_auto *result = PQexec(db_handle(db), "select version from duet.schema_ready()");

    if (PQntuples(result) != 1) {
        snprintf(
            why, why_size,
            "The database has no schema of Duet that this server may use; run `duetd migrate`.");
        return -1;
    }
    int64_t version = 0;
    text_to_i64(text_of(PQgetvalue(result, 0, 0)), &version);
    if (version == schema_newest())
        return 0;
    snprintf(
        why, why_size,
        version > schema_newest() ? "The database's schema is version %lld, newer than the %d of "
                                    "this program; upgrade duetd."
                                  : "The database's schema is version %lld, older than the %d of "
                                    "this program; run `duetd "
                                    "migrate`.",
        (long long)version, schema_newest());
    return -1;
}

static int check_calls(struct store *store, struct db *db, char *why, size_t why_size)
{
    if (batch_check(db, why, why_size) != 0 || jobs_check(db, why, why_size) != 0 ||
        notifier_check(db, why, why_size) != 0 || archive_check(db, why, why_size) != 0 ||
        listener_check(db, store->entry, why, why_size) != 0 ||
        archiver_check(db, store->archive_line, why, why_size) != 0)
        return -1;
    if (request_check(db, why, why_size) != 0 || slices_check(db, why, why_size) != 0)
        return -1;
    for (size_t i = 0; i < store->n_operations; i++)
        if (store->by_index[i] && call_check(db, store->by_index[i], why, why_size) != 0)
            return -1;
    return 0;
}

static int check_database(
    struct store *store, const struct settings *settings, char *why, size_t why_size)
{
    struct db *db = db_new(&store->config);
    int result = -1;

    if (connect_within(db, settings->start_timeout_s, why, why_size) == 0 &&
        check_durability(db, why, why_size) == 0 && check_version(db, why, why_size) == 0 &&
        check_calls(store, db, why, why_size) == 0)
        result = 0;
    db_free(db);
    return result;
}

/* The first request shall not come before the first connection. The database was there a moment
 * ago; is it gone again, requests are told so. */
static void wait_for_threads(struct store *store)
{
    int64_t until = clock_mono_us() + THREADS_START_US;
    const struct timespec pause = {.tv_nsec = 1000 * 1000};

    while (!store_is_available(store) && clock_mono_us() < until)
        nanosleep(&pause, NULL);
}

int store_open(
    const struct settings *borrows,
    struct metrics *borrows_metrics,
    const struct operation *const *operations,
    size_t n_operations,
    const struct fields *borrows_archive_line,
    struct store **ret,
    char *why,
    size_t why_size)
{
    struct store *store = mem_alloc(sizeof(*store));

    store->arena = arena_new();
    store->settings = borrows;
    store->config = (struct db_config){
        .url = borrows->database_url,
        .role = borrows->database_role,
        .statement_timeout_s = borrows->statement_timeout_s,
        .metrics = borrows_metrics,
    };
    store->archive_line = borrows_archive_line;
    make_calls(store, operations, n_operations);
    if (check_database(store, borrows, why, why_size) != 0) {
        store_free(store);
        return -1;
    }
    store->sender = sender_new(borrows, &store->config, borrows_metrics);
    store->readers = readers_new(borrows, &store->config, borrows_metrics, store->by_index);
    store->jobs = jobs_new(borrows, &store->config, borrows_metrics);
    store->notifier = notifier_new(&store->config, borrows_metrics);
    store->archiver = archiver_new(&store->config, borrows_metrics, store->archive_line);
    store->hub = hub_new();
    store->listener = listener_new(store->hub, store->entry, &store->config, borrows_metrics);
    if (sender_start(store->sender) != 0 || readers_start(store->readers) != 0 ||
        jobs_start(store->jobs) != 0 || notifier_start(store->notifier) != 0 ||
        archiver_start(store->archiver) != 0 || listener_start(store->listener) != 0) {
        snprintf(why, why_size, "A thread cannot be started: %m.");
        store_stop(store);
        store_free(store);
        return -1;
    }
    wait_for_threads(store);
    *ret = store;
    return 0;
}

void store_stop(struct store *store)
{
    if (store && store->archiver)
        archiver_stop(store->archiver);
    if (store && store->notifier)
        notifier_stop(store->notifier);
    if (store && store->sender)
        sender_stop(store->sender);
    if (store && store->readers)
        readers_stop(store->readers);
    if (store && store->jobs)
        jobs_stop(store->jobs);
    if (store && store->listener)
        listener_stop(store->listener);
}

void store_free(struct store *store)
{
    if (!store)
        return;
    listener_free(store->listener);
    hub_free(store->hub);
    archiver_free(store->archiver);
    notifier_free(store->notifier);
    sender_free(store->sender);
    readers_free(store->readers);
    jobs_free(store->jobs);
    arena_free(store->arena);
    free(store);
}

/* ---- use ---- */

bool store_is_available(const struct store *store)
{
    return sender_connected(store->sender) && readers_connected(store->readers);
}

size_t store_sends_waiting(struct store *store)
{
    return sender_waiting(store->sender);
}

size_t store_calls_waiting(struct store *store)
{
    return readers_waiting(store->readers);
}

/* Requests that wait keep their connections; of these half at least are for those that do not. */
static bool is_full(const struct store *store, const struct watch *watch)
{
    const struct settings *s = store->settings;

    return watch->take ? hub_streams(store->hub) >= (size_t)s->max_streams
                       : hub_waits(store->hub) >= (size_t)s->max_connections / 2;
}

int store_watch_open(
    struct store *store,
    struct op *op,
    struct text user,
    struct watch *watch,
    int64_t *ret_last_seq)
{
    const struct watch_asked asked = {
        .user = user,
        .caller = &op->caller,
        .most = store->settings->user_streams,
    };

    if (is_full(store, watch))
        return err_set(op->err, ERR_OVERLOADED, "as many wait for events as this server can hold");
    if (listener_open(op->db, &asked, op->arena, watch, ret_last_seq, op->err) != 0)
        return -1;
    hub_add(store->hub, watch);
    return 0;
}

void store_watch_again(struct store *store, struct watch *watch)
{
    hub_add(store->hub, watch);
}

bool store_watch_park(struct store *store, struct watch *watch)
{
    return hub_park(store->hub, watch);
}

void store_watch_close(struct store *store, struct watch *watch)
{
    if (watch->owner)
        hub_remove(store->hub, watch);
    watch->owner = 0;
}

void store_release(struct store *store)
{
    hub_stop(store->hub);
}

size_t store_watches(struct store *store, bool streams)
{
    return streams ? hub_streams(store->hub) : hub_waits(store->hub);
}

int store_submit(struct store *store, struct op *op)
{
    return readers_put(store->readers, op);
}

int store_send(struct store *store, struct send *send)
{
    return sender_put(store->sender, send);
}
