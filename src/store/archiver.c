#include "store/archiver.h"

#include <stdlib.h>
#include <zlib.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "store/archive.h"
#include "store/call.h"
#include "store/connector.h"
#include "store/rows.h"

/* Between two looks while no hour is over, and after a failure; further ones double that. */
#define IDLE_US USEC_PER_SEC
#define LONGEST_REST_US (60 * USEC_PER_SEC)
/* An hour is read in slices, each of which is sorted by itself: none takes long, and the database
 * needs little room for it. */
#define SLICE_US (60 * USEC_PER_SEC)
#define HOUR_US (3600 * USEC_PER_SEC)
/* Messages fetched at once; one may have some 30 KiB. */
#define ROWS_AT_ONCE 100
/* More than a piece and a line. */
#define LINES_BYTES_MAX (ARCHIVE_CHUNK_BYTES + (1u << 20))

#define GZIP_WINDOW_BITS (15 + 16) /* 16: with gzip's head and tail */
#define GZIP_LEVEL 4
/* What the end of a piece may add to what deflateBound says. */
#define FLUSH_BYTES 64
#define SHA256_BYTES 32

struct archiver {
    const struct db_config *config;
    struct metrics *metrics;
    const struct fields *line;
    atomic_int n_connected;
    int64_t backoff_us; /* after the failures in a row so far; 0: there were none */

    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool stopping;
    bool started;
    pthread_t thread;
};

/* The archive that is being made. */
struct making {
    struct archiver *archiver;
    struct db *db;
    int64_t hour_us;
    struct buf lines; /* of the piece that is being filled */
    z_stream deflate;
    EVP_MD_CTX *digest;
    EVP_MD_CTX *gzip_digest;
    int64_t n_messages;
    int64_t n_bytes; /* of the pieces that are kept */
    int64_t n_gzip_bytes;
};

static const struct statement archive_next = {
    .name = "archive_next",
    .sql = "select hour, again, waiting from duet.archive_next()",
};
enum next_column { NEXT_HOUR, NEXT_AGAIN, NEXT_WAITING };

static const struct statement archive_begin = {
    .name = "archive_begin",
    .sql = "select outcome from duet.archive_begin(p_hour => $1)",
    .types = (const Oid[]){PG_TIMESTAMPTZ},
    .n_types = 1,
};

static const struct statement archive_open = {
    .name = "archive_open",
    .sql = "select from duet.archive_open(p_since => $1, p_until => $2)",
    .types = (const Oid[]){PG_TIMESTAMPTZ, PG_TIMESTAMPTZ},
    .n_types = 2,
};

static const struct statement archive_fetch = {
    .name = "archive_fetch",
    .sql = "select * from duet.archive_fetch(p_limit => $1)",
    .types = (const Oid[]){PG_INT8},
    .n_types = 1,
};

static const struct statement archive_add = {
    .name = "archive_add",
    .sql = "select from duet.archive_add(p_hour => $1, p_position => $2, p_gzip_position => $3,"
           " p_bytes => $4, p_content => $5)",
    .types = (const Oid[]){PG_TIMESTAMPTZ, PG_INT8, PG_INT8, PG_INT8, PG_BYTEA},
    .n_types = 5,
};

static const struct statement archive_close = {
    .name = "archive_close",
    .sql = "select from duet.archive_close(p_hour => $1, p_messages => $2, p_bytes => $3,"
           " p_sha256 => $4, p_gzip_bytes => $5, p_gzip_sha256 => $6)",
    .types = (const Oid[]){PG_TIMESTAMPTZ, PG_INT8, PG_INT8, PG_BYTEA, PG_INT8, PG_BYTEA},
    .n_types = 6,
};

int archiver_check(struct db *db, const struct fields *line, char *why, size_t why_size)
{
    static const struct statement *const statements[] = {
        &archive_next, &archive_begin, &archive_open, &archive_add, &archive_close};

    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        if (statement_check(db, statements[i], why, why_size) != 0)
            return -1;
    return statement_check_rows(db, &archive_fetch, line, why, why_size);
}

static bool is_stopping(struct archiver *a)
{
    pthread_mutex_lock(&a->mutex);
    bool stopping = a->stopping;
    pthread_mutex_unlock(&a->mutex);
    return stopping;
}

/* ---- pieces ---- */

/* The piece in less room, in the arena; absent when zlib cannot. `last`: with gzip's tail; others
 * end so that the next can be expanded without them. */
static struct text compress_piece(struct making *m, bool last, struct arena *arena)
{
    size_t room = deflateBound(&m->deflate, m->lines.len) + FLUSH_BYTES;
    char *out = arena_alloc(arena, room);

    m->deflate.next_in = (Bytef *)m->lines.ptr;
    m->deflate.avail_in = (uInt)m->lines.len;
    m->deflate.next_out = (Bytef *)out;
    m->deflate.avail_out = (uInt)room;
    int result = deflate(&m->deflate, last ? Z_FINISH : Z_FULL_FLUSH);
    if (result != (last ? Z_STREAM_END : Z_OK) || m->deflate.avail_out == 0)
        return TEXT_ABSENT;
    return (struct text){out, room - m->deflate.avail_out};
}

static int keep_piece(struct making *m, bool last, struct arena *arena)
{
    struct params params;
    struct db_error error;
    struct text content = compress_piece(m, last, arena);

    if (m->lines.failed || !text_present(content))
        return -1;
    EVP_DigestUpdate(m->digest, m->lines.ptr, m->lines.len);
    EVP_DigestUpdate(m->gzip_digest, content.ptr, content.len);
    params_init(&params, arena);
    params_time(&params, m->hour_us);
    params_i64(&params, m->n_bytes);
    params_i64(&params, m->n_gzip_bytes);
    params_i64(&params, (int64_t)m->lines.len);
    params_text(&params, content);
    db_result_auto *result = db_call(m->db, &archive_add, &params, &error);
    m->n_bytes += (int64_t)m->lines.len;
    m->n_gzip_bytes += (int64_t)content.len;
    buf_clear(&m->lines);
    return result ? 0 : -1;
}

/* ---- messages ---- */

static int open_slice(struct making *m, int64_t since_us, struct arena *arena)
{
    struct params params;
    struct db_error error;

    params_init(&params, arena);
    params_time(&params, since_us);
    params_time(&params, since_us + SLICE_US);
    db_result_auto *result = db_call(m->db, &archive_open, &params, &error);
    return result ? 0 : -1;
}

static int write_messages(struct making *m, const PGresult *result, struct arena *arena)
{
    const struct fields *line = m->archiver->line;
    struct row_map map;
    const char *wrong;

    if (row_map_make(result, line, "", arena, &map, &wrong) != 0)
        return -1;
    for (int row = 0; row < PQntuples(result); row++) {
        if (row_write_line(result, row, line, &map, arena, &m->lines) != 0 ||
            (m->lines.len >= ARCHIVE_CHUNK_BYTES && keep_piece(m, false, arena) != 0))
            return -1;
        m->n_messages++;
    }
    return 0;
}

/* How many there were; -1 when it failed. */
static int write_page(struct making *m)
{
    struct params params;
    struct db_error error;
    struct arena *arena = arena_new();

    params_init(&params, arena);
    params_i64(&params, ROWS_AT_ONCE);
    db_result_auto *result = db_call(m->db, &archive_fetch, &params, &error);
    int n = result && write_messages(m, result, arena) == 0 ? PQntuples(result) : -1;
    arena_free(arena);
    return n;
}

static int write_slice(struct making *m, int64_t since_us)
{
    struct arena *arena = arena_new();
    int n = open_slice(m, since_us, arena) == 0 ? ROWS_AT_ONCE : -1;

    arena_free(arena);
    while (n == ROWS_AT_ONCE)
        n = is_stopping(m->archiver) ? -1 : write_page(m);
    return n < 0 ? -1 : 0;
}

/* ---- an archive ---- */

static struct text hour_text(const struct making *m, char buffer[CLOCK_TEXT])
{
    struct text t = clock_to_text(m->hour_us, buffer);

    t.len = sizeof("2026-11-22T14") - 1;
    return t;
}

static struct text digest_of(EVP_MD_CTX *context, struct arena *arena)
{
    unsigned char *digest = arena_alloc(arena, EVP_MAX_MD_SIZE);

    EVP_DigestFinal_ex(context, digest, NULL);
    return (struct text){(const char *)digest, SHA256_BYTES};
}

static int begin(struct making *m, struct arena *arena)
{
    struct params params;
    struct db_error error;

    params_init(&params, arena);
    params_time(&params, m->hour_us);
    db_result_auto *result = db_call(m->db, &archive_begin, &params, &error);
    return result && text_equal(row_text(result, 0, 0, arena), TEXT("ok")) ? 0 : -1;
}

static int finish(struct making *m, struct arena *arena)
{
    struct params params;
    struct db_error error;
    char hour[CLOCK_TEXT];

    buf_printf(
        &m->lines, "{\"hour\":\"%.*s\",\"messages\":%lld}\n", TEXT_ARG(hour_text(m, hour)),
        (long long)m->n_messages);
    if (keep_piece(m, true, arena) != 0)
        return -1;
    params_init(&params, arena);
    params_time(&params, m->hour_us);
    params_i64(&params, m->n_messages);
    params_i64(&params, m->n_bytes);
    params_text(&params, digest_of(m->digest, arena));
    params_i64(&params, m->n_gzip_bytes);
    params_text(&params, digest_of(m->gzip_digest, arena));
    db_result_auto *result = db_call(m->db, &archive_close, &params, &error);
    return result ? 0 : -1;
}

static int write_all(struct making *m)
{
    struct arena *arena = arena_new();
    int result = begin(m, arena);

    for (int64_t at = 0; at < HOUR_US && result == 0; at += SLICE_US)
        result = write_slice(m, m->hour_us + at);
    if (result == 0)
        result = finish(m, arena);
    arena_free(arena);
    return result;
}

static bool making_init(struct making *m)
{
    m->lines = BUF(LINES_BYTES_MAX);
    m->digest = EVP_MD_CTX_new();
    m->gzip_digest = EVP_MD_CTX_new();
    EVP_DigestInit_ex(m->digest, EVP_sha256(), NULL);
    EVP_DigestInit_ex(m->gzip_digest, EVP_sha256(), NULL);
    return deflateInit2(
               &m->deflate, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) ==
           Z_OK;
}

static void making_done(struct making *m)
{
    deflateEnd(&m->deflate);
    EVP_MD_CTX_free(m->gzip_digest);
    EVP_MD_CTX_free(m->digest);
    buf_done(&m->lines);
}

/* False when it is to be tried again later. */
static bool make_archive(struct archiver *a, struct db *db, int64_t hour_us)
{
    struct making m = {.archiver = a, .db = db, .hour_us = hour_us};
    struct db_error error;
    int64_t begun = clock_mono_us();
    char hour[CLOCK_TEXT];

    bool made = making_init(&m) && db_begin_snapshot(db, &error) == 0 && write_all(&m) == 0 &&
                db_commit(db, &error) == 0;
    if (!made)
        db_rollback(db);
    log_event(
        made ? LOG_INFO : LOG_WARN, made ? "archive_made" : "archive_not_made",
        LOG_TEXT("hour", hour_text(&m, hour)), LOG_INT("messages", m.n_messages),
        LOG_INT("bytes", m.n_bytes), LOG_INT("gzip_bytes", m.n_gzip_bytes),
        LOG_INT("us", clock_mono_us() - begun));
    making_done(&m);
    return made;
}

/* ---- the thread ---- */

/* What failed reads the hour from its beginning again, and may fail for as long as somebody has
 * not put right what is wrong. */
static int64_t rest_after_failure(struct archiver *a)
{
    int64_t next = a->backoff_us ? 2 * a->backoff_us : IDLE_US;

    a->backoff_us = next < LONGEST_REST_US ? next : LONGEST_REST_US;
    return a->backoff_us;
}

/* One step. Returns how long to wait before the next. */
static int64_t step(struct archiver *a, struct db *db)
{
    struct params none;
    struct db_error error;
    struct arena *arena = arena_new();
    bool again = false;

    params_init(&none, arena);
    db_result_auto *result = db_call_retrying(db, &archive_next, &none, &error);
    bool failed = !result;
    if (result && !PQgetisnull(result, 0, NEXT_WAITING))
        atomic_store(&a->metrics->archives_waiting, row_i64(result, 0, NEXT_WAITING));
    if (result && !PQgetisnull(result, 0, NEXT_HOUR)) {
        again = make_archive(a, db, row_time(result, 0, NEXT_HOUR));
        failed = !again;
    } else if (result) {
        again = row_bool(result, 0, NEXT_AGAIN);
    }
    arena_free(arena);
    if (failed)
        return rest_after_failure(a);
    a->backoff_us = 0;
    return again ? 0 : IDLE_US;
}

/* True when the thread is to end. */
static bool rest(struct archiver *a, int64_t us)
{
    pthread_mutex_lock(&a->mutex);
    if (!a->stopping && us > 0)
        cond_wait_us(&a->ended, &a->mutex, us);
    bool stopping = a->stopping;
    pthread_mutex_unlock(&a->mutex);
    return stopping;
}

static void *work(void *archiver)
{
    struct archiver *a = archiver;
    struct db *db = db_new(a->config);
    struct connector connector;
    int64_t pause = 0;

    connector_init(&connector, db, &a->n_connected);
    while (!rest(a, pause))
        pause = connector_ready(&connector) ? step(a, db) : connector_patience_us(&connector);
    connector_done(&connector);
    db_free(db);
    return NULL;
}

/* ---- life ---- */

struct archiver *archiver_new(
    const struct db_config *borrows_config,
    struct metrics *borrows_metrics,
    const struct fields *borrows_line)
{
    struct archiver *a = mem_alloc(sizeof(*a));

    a->config = borrows_config;
    a->metrics = borrows_metrics;
    a->line = borrows_line;
    pthread_mutex_init(&a->mutex, NULL);
    cond_init(&a->ended);
    return a;
}

int archiver_start(struct archiver *archiver)
{
    archiver->started = pthread_create(&archiver->thread, NULL, work, archiver) == 0;
    return archiver->started ? 0 : -1;
}

void archiver_stop(struct archiver *archiver)
{
    pthread_mutex_lock(&archiver->mutex);
    archiver->stopping = true;
    pthread_cond_signal(&archiver->ended);
    pthread_mutex_unlock(&archiver->mutex);
    if (archiver->started)
        pthread_join(archiver->thread, NULL);
    archiver->started = false;
}

void archiver_free(struct archiver *archiver)
{
    if (!archiver)
        return;
    pthread_cond_destroy(&archiver->ended);
    pthread_mutex_destroy(&archiver->mutex);
    free(archiver);
}
