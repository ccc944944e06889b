#include "store/rows.h"

#include <endian.h>

#include "store/params.h"

/* ---- single columns ---- */

struct text row_text(const PGresult *result, int row, int column, struct arena *arena)
{
    if (PQgetisnull(result, row, column))
        return TEXT_ABSENT;
    const char *value = PQgetvalue(result, row, column);
    size_t length = (size_t)PQgetlength(result, row, column);
    size_t version = PQftype(result, column) == PG_JSONB ? 1 : 0; /* jsonb's first byte */
    return arena_text(arena, (struct text){value + version, length - version});
}

int64_t row_i64(const PGresult *result, int row, int column)
{
    const char *value = PQgetvalue(result, row, column);
    uint64_t wide;
    uint32_t narrow;

    if (PQgetisnull(result, row, column))
        return 0;
    if (PQgetlength(result, row, column) == (int)sizeof(narrow)) {
        memcpy(&narrow, value, sizeof(narrow));
        return (int32_t)be32toh(narrow);
    }
    memcpy(&wide, value, sizeof(wide));
    return (int64_t)be64toh(wide);
}

bool row_bool(const PGresult *result, int row, int column)
{
    return !PQgetisnull(result, row, column) && PQgetvalue(result, row, column)[0] != 0;
}

/* The years 1 and 9999: what the database's infinities are shown as. */
#define EARLIEST_US (INT64_C(-62135596800) * 1000000)
#define LATEST_US (INT64_C(253402300799) * 1000000)

int64_t row_time(const PGresult *result, int row, int column)
{
    int64_t us = row_i64(result, row, column);

    if (us <= EARLIEST_US - PG_EPOCH_US)
        return EARLIEST_US;
    return us >= LATEST_US - PG_EPOCH_US ? LATEST_US : us + PG_EPOCH_US;
}

/* ---- the map ---- */

static const struct {
    const char *suffix;
    enum field_kind kind;
    size_t offset;
} message_id_parts[] = {
    {"receiver", FIELD_KIND_INT, offsetof(struct message_id, receiver)},
    {"receiver_seq", FIELD_KIND_INT, offsetof(struct message_id, receiver_seq)},
    {"sender", FIELD_KIND_INT, offsetof(struct message_id, sender)},
    {"sender_seq", FIELD_KIND_INT, offsetof(struct message_id, sender_seq)},
    {"sent_at", FIELD_KIND_TIME, offsetof(struct message_id, sent_at)},
    {"nonce", FIELD_KIND_INT, offsetof(struct message_id, nonce)},
};
#define MESSAGE_ID_PARTS (sizeof(message_id_parts) / sizeof(message_id_parts[0]))

struct mapping {
    const PGresult *result;
    struct arena *arena;
    struct row_map *map;
    const char *wrong;
};

static bool type_fits(enum field_kind kind, Oid type)
{
    switch (kind) {
    case FIELD_KIND_BOOL:
        return type == PG_BOOL;
    case FIELD_KIND_INT:
        return type == PG_INT8 || type == PG_INT4;
    case FIELD_KIND_REAL:
        return type == PG_FLOAT8;
    case FIELD_KIND_TIME:
        return type == PG_TIMESTAMPTZ;
    case FIELD_KIND_TEXT:
        return type == PG_TEXT;
    case FIELD_KIND_MAP:
    case FIELD_KIND_JSON:
    case FIELD_KIND_VARIANTS:
    case FIELD_KIND_RAW:
        return type == PG_TEXT || type == PG_JSONB || type == PG_JSON;
    case FIELD_KIND_TEXTS:
        return type == PG_TEXT_ARRAY;
    case FIELD_KIND_MESSAGE_ID:
    case FIELD_KIND_OBJECT:
    case FIELD_KIND_LIST:
    case FIELD_KIND_END:
        return false;
    }
    return false;
}

static void map_column(struct mapping *m, const char *column, enum field_kind kind)
{
    /* PQfnumber folds case unless the name is quoted. */
    int number = PQfnumber(m->result, arena_printf(m->arena, "\"%s\"", column));

    if (number < 0 || !type_fits(kind, PQftype(m->result, number)))
        m->wrong = column;
    else
        m->map->columns[m->map->n++] = number;
}

static void map_fields(struct mapping *m, const struct fields *fields, const char *prefix)
{
    for (const struct field *field = fields->list; field && field->kind && !m->wrong; field++) {
        if (field->kind == FIELD_KIND_LIST || field->not_column)
            continue;
        const char *name =
            arena_printf(m->arena, "%s%s", prefix, field->column ? field->column : field->name);
        if (field->kind == FIELD_KIND_OBJECT) {
            map_fields(m, field->of, arena_printf(m->arena, "%s_", name));
        } else if (field->kind == FIELD_KIND_MESSAGE_ID) {
            for (size_t i = 0; i < MESSAGE_ID_PARTS && !m->wrong; i++)
                map_column(
                    m, arena_printf(m->arena, "%s_%s", name, message_id_parts[i].suffix),
                    message_id_parts[i].kind);
        } else {
            map_column(m, name, field->kind);
        }
    }
}

int row_map_make(
    const PGresult *result,
    const struct fields *fields,
    const char *prefix,
    struct arena *arena,
    struct row_map *ret,
    const char **ret_wrong)
{
    struct mapping m = {result, arena, ret, NULL};

    /* Each field has its own column, so there are at most as many as the result has. */
    ret->columns = arena_alloc(arena, sizeof(int) * (size_t)(PQnfields(result) + 1));
    ret->n = 0;
    map_fields(&m, fields, prefix);
    *ret_wrong = m.wrong;
    return m.wrong ? -1 : 0;
}

/* ---- reading ---- */

struct reading {
    const PGresult *result;
    int row;
    struct arena *arena;
    const int *column; /* of the next field */
};

static void release_json(void *json)
{
    json_decref(json);
}

static int read_json(struct reading *r, int column, json_t **ret)
{
    struct text t = row_text(r->result, r->row, column, r->arena);

    if (!text_present(t))
        return 0;
    *ret = json_loadb(t.ptr, t.len, 0, NULL);
    if (!*ret)
        return -1;
    arena_defer(r->arena, release_json, *ret);
    return 0;
}

static uint32_t take_u32(const char **p)
{
    uint32_t bytes;

    memcpy(&bytes, *p, sizeof(bytes));
    *p += sizeof(bytes);
    return be32toh(bytes);
}

/* text[]: dimensions, whether nulls may stand in it, element type; length, lower bound; then each
 * element behind its own length. An empty one ends with the type. */
static struct list read_texts(struct reading *r, int column)
{
    const char *p = PQgetvalue(r->result, r->row, column);

    if (PQgetisnull(r->result, r->row, column) || take_u32(&p) == 0)
        return (struct list){.items = NULL};
    p += 2 * sizeof(uint32_t);
    size_t n = take_u32(&p);
    p += sizeof(uint32_t);
    struct text *texts = arena_alloc(r->arena, n * sizeof(*texts));
    for (size_t i = 0; i < n; i++) {
        uint32_t length = take_u32(&p);
        if (length == UINT32_MAX)
            continue; /* null: the text stays absent */
        texts[i] = arena_text(r->arena, (struct text){p, length});
        p += length;
    }
    return (struct list){.items = texts, .n_items = n};
}

static int read_column(struct reading *r, enum field_kind kind, int column, void *value)
{
    bool is_null = PQgetisnull(r->result, r->row, column);

    if (kind == FIELD_KIND_TEXT || kind == FIELD_KIND_RAW)
        *(struct text *)value = row_text(r->result, r->row, column, r->arena);
    else if (kind == FIELD_KIND_BOOL)
        *(bool *)value = row_bool(r->result, r->row, column);
    else if (kind == FIELD_KIND_INT)
        *(int64_t *)value = is_null ? FIELD_ABSENT : row_i64(r->result, r->row, column);
    else if (kind == FIELD_KIND_TIME)
        *(int64_t *)value = is_null ? FIELD_ABSENT : row_time(r->result, r->row, column);
    else if (kind == FIELD_KIND_REAL) {
        int64_t bytes = row_i64(r->result, r->row, column);
        memcpy(value, &bytes, sizeof(bytes));
    } else if (kind == FIELD_KIND_TEXTS)
        *(struct list *)value = read_texts(r, column);
    else
        return read_json(r, column, value);
    return 0;
}

static void read_message_id(struct reading *r, struct message_id *id)
{
    bool is_null = PQgetisnull(r->result, r->row, r->column[0]);

    for (size_t i = 0; i < MESSAGE_ID_PARTS; i++) {
        void *part = (char *)id + message_id_parts[i].offset;
        int column = *r->column++;
        if (!is_null)
            read_column(r, message_id_parts[i].kind, column, part);
    }
}

static int read_fields(struct reading *r, const struct fields *fields, void *record)
{
    int result = 0;

    for (const struct field *field = fields->list; field && field->kind && result == 0; field++) {
        void *value = (char *)record + field->offset;
        if (field->kind == FIELD_KIND_LIST || field->not_column)
            continue;
        if (field->kind == FIELD_KIND_OBJECT)
            result = read_fields(r, field->of, value);
        else if (field->kind == FIELD_KIND_MESSAGE_ID)
            read_message_id(r, value);
        else
            result = read_column(r, field->kind, *r->column++, value);
    }
    return result;
}

int row_read(
    const PGresult *result,
    int row,
    const struct fields *fields,
    const struct row_map *map,
    struct arena *arena,
    void *record)
{
    struct reading r = {result, row, arena, map->columns};

    return read_fields(&r, fields, record);
}

int row_write_line(
    const PGresult *result,
    int row,
    const struct fields *fields,
    const struct row_map *map,
    struct arena *arena,
    struct buf *ret)
{
    void *record = arena_alloc(arena, fields->size);

    if (row_read(result, row, fields, map, arena, record) != 0)
        return -1;
    fields_encode(fields, record, ret);
    buf_char(ret, '\n');
    return ret->failed ? -1 : 0;
}
