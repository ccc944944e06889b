/* Scheduled jobs, as an operator sees and starts them. */
#include "base/op.h"
#include "store/store.h"

#define JOB_NAME_BYTES 48

static const char *const done_by[] = {"pg_cron", "duetd", "request", NULL};

/* ---- job_list ---- */

struct last_run {
    int64_t started_at;
    int64_t finished_at;
    int64_t took_ms;
    struct text done_by;
    int64_t rows;
    int64_t bytes;
    struct text error;
};

static const struct field last_run_list[] = {
    FIELD_TIME(struct last_run, started_at),
    FIELD_TIME(struct last_run, finished_at),
    FIELD_INT(struct last_run, took_ms),
    FIELD_TEXT(struct last_run, done_by, .one_of = done_by),
    FIELD_INT(struct last_run, rows),
    FIELD_INT(struct last_run, bytes),
    FIELD_TEXT(struct last_run, error),
    FIELD_END,
};

static const struct fields last_run_fields = FIELDS(last_run_list, struct last_run);

struct job {
    struct text name;
    struct text description;
    struct text schedule;
    int64_t next_run_at;
    bool late;
    struct last_run last_run;
};

static const struct field job_list_of_fields[] = {
    FIELD_TEXT(struct job, name),
    FIELD_TEXT(struct job, description),
    FIELD_TEXT(struct job, schedule),
    FIELD_TIME(struct job, next_run_at),
    FIELD_BOOL(struct job, late),
    FIELD_OBJECT(
        struct job, last_run, struct last_run, .of = &last_run_fields, .omit_absent = true),
    FIELD_END,
};

static const struct fields job_fields = FIELDS(job_list_of_fields, struct job);

struct job_list {
    struct list items;
    int64_t visible_since;
};

static const struct field job_list_fields[] = {
    FIELD_LIST(struct job_list, items, .of = &job_fields),
    FIELD_TIME(struct job_list, visible_since),
    FIELD_END,
};

const struct operation job_list = {
    .name = "job_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .out = FIELDS(job_list_fields, struct job_list),
};

/* ---- job_run ---- */

struct job_run {
    struct text job;
    bool validate_only;
    struct text idempotency_key;
};

static const struct field job_run_fields[] = {
    FIELD_TEXT(
        struct job_run,
        job,
        .from = IN_PATH,
        .required = true,
        .min = 1,
        .max = JOB_NAME_BYTES,
        .visible_ascii = true),
    FIELD_BOOL(struct job_run, validate_only, .from = IN_QUERY, .has_fallback = true),
    FIELD_IDEMPOTENCY_KEY(struct job_run),
    FIELD_END,
};

struct job_done {
    struct text name;
    int64_t started_at;
    int64_t took_ms;
    int64_t rows;
    int64_t bytes;
    bool more;
    struct text error;
};

static const struct field job_done_fields[] = {
    FIELD_TEXT(struct job_done, name),   FIELD_TIME(struct job_done, started_at),
    FIELD_INT(struct job_done, took_ms), FIELD_INT(struct job_done, rows),
    FIELD_INT(struct job_done, bytes),   FIELD_BOOL(struct job_done, more),
    FIELD_TEXT(struct job_done, error),  FIELD_END,
};

const struct operation job_run = {
    .name = "job_run",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(job_run_fields, struct job_run),
    .out = FIELDS(job_done_fields, struct job_done),
    .refuses = (const enum err_code[]){ERR_JOB_UNKNOWN, ERR_JOB_RUNNING, ERR_NONE},
};
