/* Parameters of a call, in the binary format of PostgreSQL, kept in an arena. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

#define PARAMS_MAX 64

/* The types that calls use, by their fixed numbers in pg_type. */
enum pg_type {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_JSON = 114,
    PG_FLOAT8 = 701,
    PG_BYTEA_ARRAY = 1001,
    PG_TEXT_ARRAY = 1009,
    PG_INT8_ARRAY = 1016,
    PG_TIMESTAMPTZ = 1184,
    PG_JSONB = 3802,
};

/* PostgreSQL counts microseconds from 2000-01-01, we from 1970-01-01. */
#define PG_EPOCH_US (INT64_C(946684800) * 1000000)

struct params {
    struct arena *arena; /* borrowed */
    int n;
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX];
    int formats[PARAMS_MAX];
};

void params_init(struct params *params, struct arena *arena);
void params_null(struct params *params);
void params_text(struct params *params, struct text t); /* absent: null */
void params_json(struct params *params, struct text t); /* for jsonb; absent: null */
void params_bool(struct params *params, bool value);
void params_i64(struct params *params, int64_t value);
void params_real(struct params *params, double value);
void params_time(struct params *params, int64_t us);

void params_i64_array(struct params *params, const int64_t *values, size_t n);
/* Absent texts are nulls. Also for bytea[], with that element type. */
void params_text_array(
    struct params *params, const struct text *values, size_t n, enum pg_type element);
