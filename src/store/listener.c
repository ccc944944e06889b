#include "store/listener.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sse.h"
#include "store/call.h"
#include "store/connector.h"
#include "store/rows.h"

/* Mailboxes in one call; so a call takes some ms at most, and nobody waits longer for the one
 * before. */
#define PAIRS 256
#define ROWS_OF_PAIR 32
#define PIECE_BYTES_MAX (4u << 20)
/* Rows renewed or removed in one call: it holds their heads until it is committed. */
#define ROWS 100
/* A quarter of the lease (stream_lease): one that cannot be renewed is tried again twice. */
#define RENEW_AFTER_US (30 * USEC_PER_SEC)
/* How late a request that waits may learn that its time is over. */
#define TICK_US (USEC_PER_SEC / 4)
/* By so much may a server's clock differ from the database's, or be put back. */
#define CLOCKS_DIFFER_US (24 * 3600 * USEC_PER_SEC)
#define OWNERS_IN_NOTICE 1024

struct listener {
    struct hub *hub;
    const struct fields *entry;
    const struct db_config *config;
    struct metrics *metrics;
    atomic_int n_connected;
    struct db *db;
    uint64_t session; /* of the connection, in which it listens; 0: none */
    bool failed;      /* the last reading: the next waits a tick, or for a notice */

    atomic_bool stopping;
    bool started;
    pthread_t thread;
};

static const struct statement stream_open = {
    .name = "stream_open",
    .sql = "select o.outcome, o.owner, o.last_seq, o.opened_at "
           "from duet.caller_is_good(p_user => $1, p_issued_at => $2, p_device => $3) as good, "
           "lateral duet.stream_open("
           "p_user => $4, p_device => $5, p_stream => $6, p_most => $7, "
           "p_as_user => $1, p_as_device => $3, p_issued_at => $2) as o "
           "where good",
    .types = (const Oid[]){PG_TEXT, PG_TIMESTAMPTZ, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT8, PG_INT8},
    .n_types = 7,
};
enum { OPEN_OUTCOME, OPEN_OWNER, OPEN_LAST_SEQ, OPEN_OPENED_AT };

static const struct statement stream_read = {
    .name = "stream_read",
    .sql = "select * from duet.stream_read(p_owner => $1, p_after => $2, p_since => $3, p_limit => "
           "$4)",
    .types = (const Oid[]){PG_INT8_ARRAY, PG_INT8_ARRAY, PG_TIMESTAMPTZ, PG_INT8},
    .n_types = 4,
};

static const struct statement stream_renew = {
    .name = "stream_renew",
    .sql = "select duet.stream_renew("
           "p_owner => $1, p_stream => $2, p_device => $3, p_opened_at => $4)",
    .types = (const Oid[]){PG_INT8_ARRAY, PG_INT8_ARRAY, PG_TEXT_ARRAY, PG_INT8_ARRAY},
    .n_types = 4,
};

static const struct statement stream_close = {
    .name = "stream_close",
    .sql = "select duet.stream_close(p_owner => $1, p_stream => $2)",
    .types = (const Oid[]){PG_INT8_ARRAY, PG_INT8_ARRAY},
    .n_types = 2,
};

int listener_check(struct db *db, const struct fields *entry, char *why, size_t why_size)
{
    struct row_map map;
    const char *wrong;

    if (statement_check(db, &stream_open, why, why_size) != 0 ||
        statement_check(db, &stream_renew, why, why_size) != 0 ||
        statement_check(db, &stream_close, why, why_size) != 0 ||
        statement_check(db, &stream_read, why, why_size) != 0)
        return -1;
    db_result_auto *described = PQdescribePrepared(db_handle(db), "");
    struct arena *arena = arena_new();
    int result = row_map_make(described, entry, "", arena, &map, &wrong);
    if (result != 0)
        snprintf(
            why, why_size,
            "The database does not fit this program: duet.stream_read has no column %s of the "
            "right type.",
            wrong);
    arena_free(arena);
    return result;
}

/* ---- opening, on another thread's connection ---- */

static int64_t random_id(void)
{
    uint64_t id = 0;

    if (getrandom(&id, sizeof(id), 0) != sizeof(id))
        id = (uint64_t)clock_now_us();
    return (int64_t)(id >> 1);
}

static struct text device_of(const char *device)
{
    return device[0] ? text_of(device) : TEXT_ABSENT;
}

int listener_open(
    struct db *db,
    const struct watch_asked *asked,
    struct arena *arena,
    struct watch *watch,
    int64_t *ret_last_seq,
    struct err *err)
{
    struct params params;
    struct db_error error;
    int64_t stream_id = random_id();
    const struct caller *caller = asked->caller;

    params_init(&params, arena);
    params_text(&params, caller_is_user(caller) ? caller->subject : TEXT_ABSENT);
    params_time(&params, caller->issued_at_us);
    params_text(&params, caller->device);
    params_text(&params, asked->user);
    params_text(&params, device_of(watch->device));
    params_i64(&params, stream_id);
    params_i64(&params, asked->most);
    db_result_auto *result = db_call_retrying(db, &stream_open, &params, &error);
    if (!result)
        return db_error_to_err(&error, err);
    struct text outcome = PQntuples(result) ? row_text(result, 0, OPEN_OUTCOME, arena)
                                            : text_of(err_info(ERR_UNAUTHENTICATED)->code);
    if (!text_equal(outcome, TEXT("ok")))
        return err_outcome(err, outcome);
    watch->owner = row_i64(result, 0, OPEN_OWNER);
    watch->stream_id = stream_id;
    watch->opened_at_us = row_time(result, 0, OPEN_OPENED_AT);
    watch->read_at_us = watch->opened_at_us;
    watch->renewed_at_us = clock_mono_us();
    *ret_last_seq = row_i64(result, 0, OPEN_LAST_SEQ);
    return 0;
}

/* ---- hearing ---- */

static void take_notice(struct listener *l, struct text owners)
{
    int64_t numbers[OWNERS_IN_NOTICE];
    size_t n = 0;

    while (text_present(owners) && n < OWNERS_IN_NOTICE)
        if (text_to_i64(text_cut(&owners, ','), &numbers[n]))
            n++;
    atomic_fetch_add(&l->metrics->wakeups, n);
    hub_wake(l->hub, numbers, n);
}

/* True when there were any. */
static bool take_notices(struct listener *l)
{
    PGnotify *notice;
    bool any = false;

    while ((notice = PQnotifies(db_handle(l->db)))) {
        take_notice(l, text_of(notice->extra));
        PQfreemem(notice);
        any = true;
    }
    return any;
}

/* ---- reading ---- */

struct reading {
    struct listener *listener;
    const PGresult *result;
    struct arena *arena;
    struct row_map map;
    int column_pair, column_last_seq, column_reached, column_left_out, column_seq, column_at;
    int64_t read_at_us;
    int64_t now_us; /* for the delay of entries */
};

static void note_delay(const struct reading *r, int row)
{
    int64_t delay_us = r->now_us - row_time(r->result, row, r->column_at);

    histogram_add(
        &r->listener->metrics->stream_delay_us, &latency_bounds_us, delay_us > 0 ? delay_us : 0);
}

/* The rows of one pair, from `row` on, as one piece. Returns the row behind them. */
static int read_pair(struct reading *r, int row, const struct hub_pair *pair)
{
    const struct fields *entry = r->listener->entry;
    int64_t number = row_i64(r->result, row, r->column_pair);
    int64_t left_out = row_i64(r->result, row, r->column_left_out);
    int64_t last_seq = row_i64(r->result, row, r->column_last_seq);
    struct hub_news news = {
        .pair = *pair,
        .reached = row_i64(r->result, row, r->column_reached),
        .read_at_us = r->read_at_us,
        .end = PQgetisnull(r->result, row, r->column_last_seq) ? ERR_USER_UNKNOWN : ERR_NONE,
    };
    const void *records[ROWS_OF_PAIR];
    buf_auto text = BUF(PIECE_BYTES_MAX);
    size_t n_rows = 0;

    for (; row < PQntuples(r->result) && row_i64(r->result, row, r->column_pair) == number; row++) {
        if (PQgetisnull(r->result, row, r->column_seq))
            continue;
        void *record = arena_alloc(r->arena, entry->size);
        if (row_read(r->result, row, entry, &r->map, r->arena, record) != 0)
            continue; /* broken in the database, and for everybody: it counts as not shown */
        sse_write_record(&text, entry, record);
        records[n_rows++] = record;
    }
    news.more = news.reached < last_seq;
    if (left_out > 0)
        sse_write_sync(&text, news.reached, left_out, news.more);
    news.piece = text.len ? piece_new(buf_as_text(&text)) : NULL;
    news.records = records;
    news.n_records = n_rows;
    size_t n_streams = hub_deliver(r->listener->hub, &news);
    piece_drop(news.piece);
    atomic_fetch_add(&r->listener->metrics->stream_entries, n_streams * n_rows);
    return row;
}

static void deliver(
    struct listener *l, const PGresult *result, const struct hub_pair *pairs, int64_t read_at_us)
{
    struct reading r = {
        .listener = l,
        .result = result,
        .arena = arena_new(),
        .column_pair = PQfnumber(result, "pair"),
        .column_last_seq = PQfnumber(result, "last_seq"),
        .column_reached = PQfnumber(result, "reached"),
        .column_left_out = PQfnumber(result, "left_out"),
        .column_seq = PQfnumber(result, "seq"),
        .column_at = PQfnumber(result, "at"),
        .read_at_us = read_at_us,
        .now_us = clock_now_us(),
    };
    const char *wrong;

    if (row_map_make(result, l->entry, "", r.arena, &r.map, &wrong) == 0)
        for (int row = 0; row < PQntuples(result);)
            row = read_pair(&r, row, &pairs[row_i64(result, row, r.column_pair) - 1]);
    for (int row = 0; row < PQntuples(result); row++)
        if (!PQgetisnull(result, row, r.column_seq))
            note_delay(&r, row);
    arena_free(r.arena);
}

static PGresult *call_read(
    struct listener *l,
    const struct hub_pair *pairs,
    size_t n,
    int64_t since_us,
    struct arena *arena)
{
    struct params params;
    struct db_error error;
    int64_t owners[PAIRS], after[PAIRS];

    for (size_t i = 0; i < n; i++) {
        owners[i] = pairs[i].owner;
        after[i] = pairs[i].after;
    }
    params_init(&params, arena);
    params_i64_array(&params, owners, n);
    params_i64_array(&params, after, n);
    params_time(&params, since_us);
    params_i64(&params, ROWS_OF_PAIR);
    return db_call_retrying(l->db, &stream_read, &params, &error);
}

/* For those in front of the line. False when there is nobody, or the database does not answer. */
static bool read_some(struct listener *l)
{
    struct hub_pair pairs[PAIRS];
    int64_t oldest_us;
    int64_t now_us = clock_now_us();

    l->failed = false;
    hub_calm(l->hub);
    size_t n = hub_take_pairs(l->hub, pairs, PAIRS, &oldest_us);
    if (n == 0)
        return false;
    struct arena *arena = arena_new();
    db_result_auto *result = call_read(l, pairs, n, oldest_us - CLOCKS_DIFFER_US, arena);
    if (result)
        deliver(l, result, pairs, now_us);
    arena_free(arena);
    hub_give_back(l->hub); /* those that there was no room for, or all */
    l->failed = !result;
    return result;
}

/* ---- rows of streams ---- */

static bool call_rows(
    struct listener *l, const struct statement *statement, const struct hub_row *rows, size_t n)
{
    struct params params;
    struct db_error error;
    struct arena *arena = arena_new();
    int64_t owners[ROWS], ids[ROWS], opened[ROWS];
    struct text devices[ROWS];

    for (size_t i = 0; i < n; i++) {
        owners[i] = rows[i].owner;
        ids[i] = rows[i].stream_id;
        opened[i] = rows[i].opened_at_us;
        devices[i] = device_of(rows[i].device);
    }
    params_init(&params, arena);
    params_i64_array(&params, owners, n);
    params_i64_array(&params, ids, n);
    if (statement == &stream_renew) {
        params_text_array(&params, devices, n, PG_TEXT);
        params_i64_array(&params, opened, n);
    }
    db_result_auto *result = db_call_retrying(l->db, statement, &params, &error);
    arena_free(arena);
    return result;
}

/* True when there is more of it to do. What could not be done is done by time: the rows run out, or
 * are renewed the next time. */
static bool renew_some(struct listener *l)
{
    struct hub_row rows[ROWS];
    int64_t now_us = clock_mono_us();
    size_t n = hub_take_due(l->hub, now_us - RENEW_AFTER_US, now_us, rows, ROWS);

    return n && call_rows(l, &stream_renew, rows, n) && n == ROWS;
}

static bool close_some(struct listener *l)
{
    struct hub_row rows[ROWS];
    size_t n = hub_take_gone(l->hub, rows, ROWS);

    return n && call_rows(l, &stream_close, rows, n) && n == ROWS;
}

/* ---- the thread ---- */

/* Listens first, says second who is followed here, and lets everybody read third: what came before
 * the first is found by the third. */
static void begin_to_listen(struct listener *l)
{
    struct db_error error;

    if (db_listen(l->db, "duet_mailbox", &error) != 0)
        return;
    log_event(LOG_INFO, "listening_to_database");
    l->session = db_session(l->db);
    hub_forget_renewals(l->hub);
    while (renew_some(l))
        ;
    hub_wake_all(l->hub);
}

static bool listens(const struct listener *l)
{
    return db_is_alive(l->db) && l->session == db_session(l->db);
}

/* Without a connection there is nothing to do for those in line. */
static void wait_for_something(struct listener *l, int64_t us)
{
    bool connected = listens(l);
    struct pollfd fds[2] = {
        {.fd = connected && !l->failed ? hub_fd(l->hub) : -1, .events = POLLIN},
        {.fd = connected ? PQsocket(db_handle(l->db)) : -1, .events = POLLIN},
    };

    poll(fds, 2, (int)(us / 1000));
}

/* Between two slices of what can wait, what cannot. Notices are taken last: those that came with
 * the answer to a call are out of the socket, which nobody would find readable. */
static void work_off(struct listener *l)
{
    bool more = true;

    while (more && listens(l)) {
        more = read_some(l);
        more |= renew_some(l);
        more |= close_some(l);
        more |= take_notices(l);
    }
}

static void *work(void *listener)
{
    struct listener *l = listener;
    struct connector connector;
    l->db = db_new(l->config);
    connector_init(&connector, l->db, &l->n_connected);
    while (!atomic_load(&l->stopping)) {
        if (connector_ready(&connector) && l->session != db_session(l->db))
            begin_to_listen(l);
        if (listens(l))
            work_off(l);
        hub_expire(l->hub, clock_mono_us());
        int64_t patience_us = connector_patience_us(&connector);
        wait_for_something(l, patience_us < TICK_US ? patience_us : TICK_US);
    }
    while (db_is_alive(l->db) && close_some(l))
        ;
    connector_done(&connector);
    db_free(l->db);
    return NULL;
}

struct listener *listener_new(
    struct hub *borrows_hub,
    const struct fields *borrows_entry,
    const struct db_config *borrows_config,
    struct metrics *borrows_metrics)
{
    struct listener *l = mem_alloc(sizeof(*l));

    l->hub = borrows_hub;
    l->entry = borrows_entry;
    l->config = borrows_config;
    l->metrics = borrows_metrics;
    return l;
}

void listener_free(struct listener *listener)
{
    free(listener);
}

int listener_start(struct listener *listener)
{
    listener->started = pthread_create(&listener->thread, NULL, work, listener) == 0;
    return listener->started ? 0 : -1;
}

void listener_stop(struct listener *listener)
{
    if (!listener->started)
        return;
    atomic_store(&listener->stopping, true);
    pthread_join(listener->thread, NULL);
    listener->started = false;
}
