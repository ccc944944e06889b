/* Scheduled jobs where nobody else does them: a thread looks now and then for a job that is
 * overdue, which pg_cron would have done, and does it. Of several servers one does; the job's lock
 * tells. */
#pragma once

#include "base/metrics.h"
#include "base/settings.h"
#include "store/db.h"

struct jobs;

struct jobs *jobs_new(
    const struct settings *borrows,
    const struct db_config *borrows_config,
    struct metrics *borrows_metrics);
/* -1 when the thread cannot be started. */
int jobs_start(struct jobs *jobs);
/* Lets the slice that runs come to its end, and ends the thread. */
void jobs_stop(struct jobs *jobs);
/* After jobs_stop. Takes NULL. */
void jobs_free(struct jobs *jobs);

/* Whether the calls fit the database: -1 with one sentence in `why`. */
int jobs_check(struct db *db, char *why, size_t why_size);
