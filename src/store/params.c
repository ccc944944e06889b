#include "store/params.h"

#include <assert.h>
#include <endian.h>

void params_init(struct params *params, struct arena *arena)
{
    params->arena = arena;
    params->n = 0;
}

static void add(struct params *params, const void *value, size_t length, int format)
{
    assert(params->n < PARAMS_MAX);
    params->values[params->n] = value;
    params->lengths[params->n] = (int)length;
    params->formats[params->n] = format;
    params->n++;
}

void params_null(struct params *params)
{
    add(params, NULL, 0, 1);
}

void params_text(struct params *params, struct text t)
{
    add(params, t.ptr, t.len, 1);
}

void params_json(struct params *params, struct text t)
{
    /* Text format, where libpq wants a terminator: jsonb's binary format starts with a version. */
    add(params, arena_text(params->arena, t).ptr, t.len, 0);
}

void params_bool(struct params *params, bool value)
{
    char byte = value ? 1 : 0;

    add(params, arena_copy(params->arena, &byte, 1), 1, 1);
}

void params_i64(struct params *params, int64_t value)
{
    uint64_t bytes = htobe64((uint64_t)value);

    add(params, arena_copy(params->arena, &bytes, sizeof(bytes)), sizeof(bytes), 1);
}

void params_real(struct params *params, double value)
{
    uint64_t bytes;

    memcpy(&bytes, &value, sizeof(bytes));
    params_i64(params, (int64_t)bytes);
}

void params_time(struct params *params, int64_t us)
{
    params_i64(params, us - PG_EPOCH_US);
}

/* ---- arrays: dimensions, whether nulls may stand in it, element type, length, lower bound; then
 * each element behind its length ---- */

#define ARRAY_HEAD 20

static char *put_i32(char *p, int64_t value)
{
    uint32_t bytes = htobe32((uint32_t)value);

    memcpy(p, &bytes, sizeof(bytes));
    return p + sizeof(bytes);
}

static char *put_head(char *p, enum pg_type element, size_t n)
{
    p = put_i32(p, 1);
    p = put_i32(p, 1);
    p = put_i32(p, element);
    p = put_i32(p, (int64_t)n);
    return put_i32(p, 1);
}

void params_i64_array(struct params *params, const int64_t *values, size_t n)
{
    size_t size = ARRAY_HEAD + n * 12;
    char *array = arena_alloc(params->arena, size);
    char *p = put_head(array, PG_INT8, n);

    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = htobe64((uint64_t)values[i]);
        p = put_i32(p, sizeof(bytes));
        memcpy(p, &bytes, sizeof(bytes));
        p += sizeof(bytes);
    }
    add(params, array, size, 1);
}

void params_text_array(
    struct params *params, const struct text *values, size_t n, enum pg_type element)
{
    size_t size = ARRAY_HEAD;

    for (size_t i = 0; i < n; i++)
        size += 4 + values[i].len;
    char *array = arena_alloc(params->arena, size);
    char *p = put_head(array, element, n);
    for (size_t i = 0; i < n; i++) {
        p = put_i32(p, text_present(values[i]) ? (int64_t)values[i].len : -1);
        if (values[i].len)
            memcpy(p, values[i].ptr, values[i].len);
        p += values[i].len;
    }
    add(params, array, size, 1);
}
