/* What operators and load balancers ask the server about itself. */
#include <stdio.h>

#include "base/clock.h"
#include "base/op.h"
#include "ops/docs.h"
#include "ops/services.h"

/* ---- health_get: the process answers ---- */

struct health {
    struct text status;
};

static const struct field health_fields[] = {
    FIELD_TEXT(struct health, status),
    FIELD_END,
};

static int health_get_run(struct op *op)
{
    *(struct health *)op->out = (struct health){TEXT("ok")};
    return 0;
}

const struct operation health_get = {
    .name = "health_get",
    .lane = LANE_HTTP,
    .run = health_get_run,
    .out = FIELDS(health_fields, struct health),
};

/* ---- ready_get: it can do its work ---- */

struct ready_check {
    struct text name;
    bool ok;
    bool needed;
    struct text detail;
};

static const struct field ready_check_list[] = {
    FIELD_TEXT(struct ready_check, name),
    FIELD_BOOL(struct ready_check, ok),
    FIELD_BOOL(struct ready_check, needed),
    FIELD_TEXT(struct ready_check, detail),
    FIELD_END,
};

static const struct fields ready_check_fields = FIELDS(ready_check_list, struct ready_check);

struct ready {
    struct text status;
    struct list checks;
};

struct ready_get {
    bool verbose;
};

static const struct field ready_get_fields[] = {
    FIELD_BOOL(struct ready_get, verbose, .from = IN_QUERY, .has_fallback = true),
    FIELD_END,
};

static const struct field ready_fields[] = {
    FIELD_TEXT(struct ready, status, .not_column = true),
    FIELD_LIST(struct ready, checks, .of = &ready_check_fields),
    FIELD_END,
};

static int ready_get_check(struct op *op)
{
    if (atomic_load(&op->services->stopping))
        return err_set(op->err, ERR_SHUTTING_DOWN, "the server is stopping");
    return 0;
}

static int ready_get_run(struct op *op)
{
    struct ready *out = op->out;

    if (store_call_rows(op) != 0)
        return -1;
    const struct ready_check *checks = out->checks.items;
    for (size_t i = 0; i < out->checks.n_items; i++)
        if (checks[i].needed && !checks[i].ok)
            return err_set(
                op->err, ERR_NOT_READY, "%.*s: %.*s", TEXT_ARG(checks[i].name),
                TEXT_ARG(checks[i].detail));
    out->status = TEXT("ready");
    return 0;
}

const struct operation ready_get = {
    .name = "ready_get",
    .lane = LANE_READER,
    .check = ready_get_check,
    .run = ready_get_run,
    .in = FIELDS(ready_get_fields, struct ready_get),
    .out = FIELDS(ready_fields, struct ready),
    .refuses = (const enum err_code[]){ERR_NOT_READY, ERR_NONE},
};

/* ---- metrics_get: Prometheus ---- */

#define METRICS_BYTES_MAX (1 << 20)

static void print_head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_requests(const struct services *s, struct buf *b)
{
    print_head(b, "duet_requests_total", "counter", "Requests answered, by operation and status.");
    for (size_t i = 0; i < s->n_operations; i++) {
        for (int status = 100; status < METRICS_STATUSES; status++) {
            unsigned long long n = atomic_load(&s->metrics->operations[i].by_status[status]);
            if (n)
                buf_printf(
                    b, "duet_requests_total{operation=\"%s\",status=\"%d\"} %llu\n",
                    s->operations[i]->name, status, n);
        }
    }
    print_head(
        b, "duet_request_seconds", "histogram",
        "From the head of a request to its reply, by operation.");
    for (size_t i = 0; i < s->n_operations; i++) {
        char labels[96];
        snprintf(labels, sizeof(labels), "operation=\"%s\",", s->operations[i]->name);
        histogram_print(
            &s->metrics->operations[i].latency_us, &latency_bounds_us, USEC_PER_SEC,
            "duet_request_seconds", labels, b);
    }
}

static void print_number(
    struct buf *b, const char *name, const char *type, const char *help, long long value)
{
    print_head(b, name, type, help);
    buf_printf(b, "%s %lld\n", name, value);
}

static void print_store(const struct services *s, struct buf *b)
{
    struct metrics *m = s->metrics;

    print_head(b, "duet_send_batch_size", "histogram", "Messages stored by one transaction.");
    histogram_print(&m->batch_size, &batch_bounds, 1, "duet_send_batch_size", "", b);
    print_head(b, "duet_send_batch_seconds", "histogram", "Time of one transaction of sends.");
    histogram_print(
        &m->batch_us, &latency_bounds_us, USEC_PER_SEC, "duet_send_batch_seconds", "", b);
    print_number(
        b, "duet_send_queue_length", "gauge", "Messages that wait to be stored.",
        (long long)store_sends_waiting(s->store));
    print_number(
        b, "duet_read_queue_length", "gauge", "Other requests that wait for the database.",
        (long long)store_calls_waiting(s->store));
    print_number(
        b, "duet_queue_full_total", "counter", "Requests refused because a queue was full.",
        (long long)atomic_load(&m->refused_full));
    print_number(
        b, "duet_send_batches_split_total", "counter",
        "Batches tried again one by one because one message made the call fail.",
        (long long)atomic_load(&m->batches_split));
    print_number(
        b, "duet_notifications_delivered_total", "counter",
        "Users to whom this server has brought a notification or its recall.",
        (long long)atomic_load(&m->notifications_delivered));
    print_number(
        b, "duet_streams_open", "gauge", "Event streams that are open.",
        (long long)store_watches(s->store, true));
    print_number(
        b, "duet_waits_open", "gauge", "Requests that wait for events.",
        (long long)store_watches(s->store, false));
    print_number(
        b, "duet_wakeups_total", "counter", "Mailboxes that this server was told to look at.",
        (long long)atomic_load(&m->wakeups));
    print_number(
        b, "duet_stream_entries_total", "counter", "Entries given to event streams.",
        (long long)atomic_load(&m->stream_entries));
    print_number(
        b, "duet_streams_slow_total", "counter",
        "Event streams closed because their clients did not take what they were sent.",
        (long long)atomic_load(&m->streams_slow));
    print_head(
        b, "duet_stream_delay_seconds", "histogram",
        "From the time of an entry until its streams were given it.");
    histogram_print(
        &m->stream_delay_us, &latency_bounds_us, USEC_PER_SEC, "duet_stream_delay_seconds", "", b);
    print_number(
        b, "duet_database_errors_total", "counter", "Calls that the database did not answer well.",
        (long long)atomic_load(&m->database_errors));
    print_number(
        b, "duet_database_connects_total", "counter", "Connections made to the database.",
        (long long)atomic_load(&m->database_connects));
    print_number(
        b, "duet_archives_waiting", "gauge", "Hours that are over and have no archive yet.",
        (long long)atomic_load(&m->archives_waiting));
    print_number(
        b, "duet_jobs_late", "gauge", "Scheduled jobs that are overdue or have failed.",
        (long long)atomic_load(&m->jobs_late));
    print_number(
        b, "duet_jobs_performed_total", "counter",
        "Jobs that this server did because pg_cron had not.",
        (long long)atomic_load(&m->jobs_performed));
    print_number(
        b, "duet_partition_days_ahead", "gauge", "Days for which mailboxes have partitions.",
        (long long)atomic_load(&m->partition_days_ahead));
    print_number(
        b, "duet_partition_default_rows", "gauge", "Rows in default partitions; should be 0.",
        (long long)atomic_load(&m->partition_default_rows));
    print_number(
        b, "duet_database_up", "gauge", "1 when the database was reached at the last try.",
        store_is_available(s->store));
}

static int metrics_get_run(struct op *op)
{
    const struct services *s = op->services;
    buf_auto b = BUF(METRICS_BYTES_MAX);

    print_requests(s, &b);
    print_store(s, &b);
    print_number(
        &b, "duet_requests_in_flight", "gauge", "Requests begun and not yet answered.",
        (long long)atomic_load(&s->metrics->in_flight));
    print_number(
        &b, "duet_body_bytes", "gauge", "Memory of bodies that are arriving.",
        (long long)atomic_load(&s->metrics->body_bytes));
    print_number(
        &b, "duet_uptime_seconds", "gauge", "Time since the start.",
        (long long)((clock_mono_us() - s->started_at_us) / USEC_PER_SEC));
    if (b.failed)
        return err_set(op->err, ERR_INTERNAL, "the metrics are too long");
    op->raw = arena_text(op->arena, buf_as_text(&b));
    return 0;
}

const struct operation metrics_get = {
    .name = "metrics_get",
    .lane = LANE_HTTP,
    .run = metrics_get_run,
    .content_type = "text/plain; version=0.0.4; charset=utf-8",
};

/* ---- openapi_get: the contract ---- */

static int openapi_get_run(struct op *op)
{
    op->document = &openapi_json;
    return 0;
}

const struct operation openapi_get = {
    .name = "openapi_get",
    .lane = LANE_HTTP,
    .run = openapi_get_run,
    .content_type = "application/json; charset=utf-8",
};

/* ---- docs_get: the contract, for people ---- */

static int docs_get_run(struct op *op)
{
    op->document = &openapi_html;
    return 0;
}

const struct operation docs_get = {
    .name = "docs_get",
    .lane = LANE_HTTP,
    .run = docs_get_run,
    .content_type = "text/html; charset=utf-8",
};
