/* Counters and histograms of this process, in the text format of Prometheus.
 *
 * Everything here is updated without locks, from any thread. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define METRICS_OPERATIONS 128
#define METRICS_STATUSES 600
#define HISTOGRAM_BUCKETS 16

/* Counts by upper bounds; the bounds are given when it is printed. */
struct histogram {
    atomic_uint_least64_t buckets[HISTOGRAM_BUCKETS + 1]; /* the last: above all bounds */
    atomic_uint_least64_t sum;
};

struct bounds {
    int64_t upper[HISTOGRAM_BUCKETS];
    size_t n;
};

extern const struct bounds latency_bounds_us;
extern const struct bounds batch_bounds;

void histogram_add(struct histogram *histogram, const struct bounds *bounds, int64_t value);
/* `labels` is `name="value",` or empty; values are divided by `unit`. */
void histogram_print(
    const struct histogram *histogram,
    const struct bounds *bounds,
    double unit,
    const char *name,
    const char *labels,
    struct buf *ret);

struct metrics {
    struct {
        struct histogram latency_us;
        atomic_uint_least64_t by_status[METRICS_STATUSES];
    } operations[METRICS_OPERATIONS]; /* by the operation's place in the route table */
    struct histogram batch_size;
    struct histogram batch_us;
    atomic_uint_least64_t database_errors;
    atomic_uint_least64_t database_connects;
    atomic_uint_least64_t batches_split;
    atomic_uint_least64_t notifications_delivered; /* entries that this server has written */
    atomic_uint_least64_t refused_full;            /* 503 because a queue was full */
    struct histogram stream_delay_us;              /* from an entry's time to its streams */
    atomic_uint_least64_t stream_entries;          /* given to streams */
    atomic_uint_least64_t streams_slow; /* closed, because what they were sent was not taken */
    atomic_uint_least64_t wakeups;      /* mailboxes that this server was told of */
    atomic_uint_least64_t jobs_performed;
    atomic_int_least64_t archives_waiting; /* as it was seen last */
    atomic_int_least64_t jobs_late;        /* these three as they were seen last */
    atomic_int_least64_t partition_default_rows;
    atomic_int_least64_t partition_days_ahead;
    atomic_int_least64_t body_bytes; /* of bodies that are arriving */
    atomic_int_least64_t in_flight;  /* requests begun and not yet completed */
};
