#include "store/jobs.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "store/call.h"
#include "store/connector.h"
#include "store/rows.h"

struct jobs {
    const struct settings *settings;
    const struct db_config *config;
    struct metrics *metrics;
    atomic_int n_connected;

    pthread_mutex_t mutex;
    pthread_cond_t stop;
    bool stopping;
    bool started;
    pthread_t thread;
};

static const struct statement job_watch = {
    .name = "job_watch",
    .sql = "select due, late, default_rows, days_ahead from duet.job_watch()",
};

static const Oid perform_types[] = {PG_TEXT, PG_INT8};

static const struct statement job_perform = {
    .name = "job_perform",
    .sql = "select outcome, run, rows, bytes, more, error from duet.job_perform("
           "p_job => $1, p_done_by => 'duetd', p_run => $2)",
    .types = perform_types,
    .n_types = 2,
};

int jobs_check(struct db *db, char *why, size_t why_size)
{
    return statement_check(db, &job_watch, why, why_size) != 0
               ? -1
               : statement_check(db, &job_perform, why, why_size);
}

static bool is_stopping(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    bool stopping = jobs->stopping;
    pthread_mutex_unlock(&jobs->mutex);
    return stopping;
}

/* ---- one job ---- */

struct slice {
    int64_t run; /* 0: none yet */
    int64_t rows;
    bool more;
    bool failed;
};

/* False when nothing more is to be done with the job now. */
static bool perform_slice(struct db *db, struct text job, struct arena *arena, struct slice *slice)
{
    struct params params;
    struct db_error error;

    params_init(&params, arena);
    params_text(&params, job);
    if (slice->run)
        params_i64(&params, slice->run);
    else
        params_null(&params);
    db_result_auto *result = db_call(db, &job_perform, &params, &error);
    if (!result || PQntuples(result) != 1 ||
        !text_equal(row_text(result, 0, 0, arena), TEXT("ok"))) {
        slice->failed = !result;
        return false;
    }
    slice->run = row_i64(result, 0, 1);
    slice->rows += row_i64(result, 0, 2);
    slice->more = row_bool(result, 0, 4);
    slice->failed = !PQgetisnull(result, 0, 5);
    return slice->more;
}

static void perform(struct jobs *jobs, struct db *db, struct text job, struct arena *arena)
{
    struct slice slice = {0};
    int64_t begun = clock_mono_us();

    while (perform_slice(db, job, arena, &slice) && !is_stopping(jobs)) {
    }
    if (slice.run == 0 && !slice.failed)
        return; /* somebody else is at it */
    atomic_fetch_add(&jobs->metrics->jobs_performed, 1);
    log_event(
        slice.failed ? LOG_ERROR : LOG_INFO, slice.failed ? "job_failed" : "job_performed",
        LOG_TEXT("job", job), LOG_INT("rows", slice.rows), LOG_INT("us", clock_mono_us() - begun));
}

/* ---- the watch ---- */

static void watch(struct jobs *jobs, struct db *db)
{
    struct arena *arena = arena_new();
    struct params none;
    struct db_error error;

    params_init(&none, arena);
    db_result_auto *result = db_call_retrying(db, &job_watch, &none, &error);
    int n_rows = result ? PQntuples(result) : 0;
    if (n_rows > 0) {
        atomic_store(&jobs->metrics->jobs_late, row_i64(result, 0, 1));
        atomic_store(&jobs->metrics->partition_default_rows, row_i64(result, 0, 2));
        atomic_store(&jobs->metrics->partition_days_ahead, row_i64(result, 0, 3));
    }
    for (int row = 0; row < n_rows && !is_stopping(jobs); row++)
        if (!PQgetisnull(result, row, 0))
            perform(jobs, db, row_text(result, row, 0, arena), arena);
    arena_free(arena);
}

static void *work(void *argument)
{
    struct jobs *jobs = argument;
    struct db *db = db_new(jobs->config);
    struct connector connector;

    connector_init(&connector, db, &jobs->n_connected);
    while (!is_stopping(jobs)) {
        int64_t pause_us = jobs->settings->job_watch_s * USEC_PER_SEC;
        if (connector_ready(&connector))
            watch(jobs, db);
        else
            pause_us = connector_patience_us(&connector);
        pthread_mutex_lock(&jobs->mutex);
        if (!jobs->stopping)
            cond_wait_us(&jobs->stop, &jobs->mutex, pause_us);
        pthread_mutex_unlock(&jobs->mutex);
    }
    connector_done(&connector);
    db_free(db);
    return NULL;
}

/* ---- life ---- */

struct jobs *jobs_new(
    const struct settings *borrows,
    const struct db_config *borrows_config,
    struct metrics *borrows_metrics)
{
    struct jobs *jobs = mem_alloc(sizeof(*jobs));

    jobs->settings = borrows;
    jobs->config = borrows_config;
    jobs->metrics = borrows_metrics;
    pthread_mutex_init(&jobs->mutex, NULL);
    cond_init(&jobs->stop);
    return jobs;
}

int jobs_start(struct jobs *jobs)
{
    jobs->started = pthread_create(&jobs->thread, NULL, work, jobs) == 0;
    return jobs->started ? 0 : -1;
}

void jobs_stop(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    jobs->stopping = true;
    pthread_cond_broadcast(&jobs->stop);
    pthread_mutex_unlock(&jobs->mutex);
    if (jobs->started)
        pthread_join(jobs->thread, NULL);
    jobs->started = false;
}

void jobs_free(struct jobs *jobs)
{
    if (!jobs)
        return;
    pthread_cond_destroy(&jobs->stop);
    pthread_mutex_destroy(&jobs->mutex);
    free(jobs);
}
