#include "base/metrics.h"

/* 0.5 ms to 10 s. */
const struct bounds latency_bounds_us = {
    {500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
     10000000},
    14,
};

const struct bounds batch_bounds = {{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}, 11};

void histogram_add(struct histogram *histogram, const struct bounds *bounds, int64_t value)
{
    size_t i = 0;

    while (i < bounds->n && value > bounds->upper[i])
        i++;
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, (uint64_t)value, memory_order_relaxed);
}

void histogram_print(
    const struct histogram *histogram,
    const struct bounds *bounds,
    double unit,
    const char *name,
    const char *labels,
    struct buf *ret)
{
    unsigned long long count = 0;
    size_t labels_len = text_of(labels).len;

    for (size_t i = 0; i <= bounds->n; i++) {
        count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        if (i < bounds->n)
            buf_printf(
                ret, "%s_bucket{%sle=\"%g\"} %llu\n", name, labels, (double)bounds->upper[i] / unit,
                count);
    }
    buf_printf(ret, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels, count);
    int without_comma = labels_len ? (int)labels_len - 1 : 0;
    double sum = (double)atomic_load_explicit(&histogram->sum, memory_order_relaxed) / unit;
    if (without_comma) {
        buf_printf(ret, "%s_sum{%.*s} %g\n", name, without_comma, labels, sum);
        buf_printf(ret, "%s_count{%.*s} %llu\n", name, without_comma, labels, count);
    } else {
        buf_printf(ret, "%s_sum %g\n%s_count %llu\n", name, sum, name, count);
    }
}
