/* Archives: the hours of all messages. */
#include "store/archive.h"

#include "base/clock.h"
#include "base/op.h"
#include "ops/archive.h"
#include "ops/user.h"
#include "store/store.h"

#define HOUR_BYTES (sizeof("2026-11-22T14") - 1)

/* ---- archive_list ---- */

struct archive {
    struct text hour;
    int64_t messages;
    int64_t bytes;
    struct text sha256;
    int64_t gzip_bytes;
    struct text gzip_sha256;
    int64_t closed_at;
    struct text href;
};

static const struct field archive_list_of_fields[] = {
    FIELD_TEXT(struct archive, hour),
    FIELD_INT(struct archive, messages),
    FIELD_INT(struct archive, bytes),
    FIELD_TEXT(struct archive, sha256),
    FIELD_INT(struct archive, gzip_bytes),
    FIELD_TEXT(struct archive, gzip_sha256),
    FIELD_TIME(struct archive, closed_at),
    FIELD_TEXT(struct archive, href),
    FIELD_END,
};

static const struct fields archive_fields = FIELDS(archive_list_of_fields, struct archive);

struct archive_list {
    int64_t since;
    int64_t until;
    struct text cursor;
    int64_t limit;
};

static const struct field archive_list_fields[] = {
    FIELD_TIME(struct archive_list, since, .from = IN_QUERY),
    FIELD_TIME(struct archive_list, until, .from = IN_QUERY),
    FIELD_CURSOR(struct archive_list),
    FIELD_LIMIT(struct archive_list),
    FIELD_END,
};

struct archive_page {
    struct list items;
    struct text next_cursor;
};

static const struct field archive_page_fields[] = {
    FIELD_LIST(struct archive_page, items, .of = &archive_fields),
    FIELD_NEXT_CURSOR(struct archive_page),
    FIELD_END,
};

const struct operation archive_list = {
    .name = "archive_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(archive_list_fields, struct archive_list),
    .out = FIELDS(archive_page_fields, struct archive_page),
    .refuses = (const enum err_code[]){ERR_CURSOR_INVALID, ERR_NONE},
};

/* ---- archive_get ---- */

struct archive_get {
    struct text hour;
    int64_t begins_at;
};

static const struct field archive_get_fields[] = {
    FIELD_TEXT(
        struct archive_get,
        hour,
        .from = IN_PATH,
        .required = true,
        .min = HOUR_BYTES,
        .max = HOUR_BYTES,
        .not_column = true),
    FIELD_TIME(struct archive_get, begins_at, .from = IN_CHECK),
    FIELD_END,
};

struct archive_file {
    int64_t bytes;
    struct text sha256;
    struct text digest;
    int64_t gzip_bytes;
    struct text gzip_sha256;
    struct text gzip_digest;
};

static const struct field archive_file_fields[] = {
    FIELD_INT(struct archive_file, bytes),
    FIELD_TEXT(struct archive_file, sha256),
    FIELD_TEXT(struct archive_file, digest),
    FIELD_INT(struct archive_file, gzip_bytes),
    FIELD_TEXT(struct archive_file, gzip_sha256),
    FIELD_TEXT(struct archive_file, gzip_digest),
    FIELD_END,
};

static int archive_get_check(struct op *op)
{
    struct archive_get *in = op->in;
    const char *time = arena_printf(op->arena, "%.*s:00:00Z", TEXT_ARG(in->hour));

    if (text_present(in->hour) && in->hour.ptr[HOUR_BYTES - 3] == 'T' &&
        clock_from_text(text_of(time), &in->begins_at))
        return 0;
    return err_field(op->err, ERR_INVALID_REQUEST, "/hour", "is no hour as in 2026-11-22T14");
}

static struct representation represent(
    struct op *op, int64_t size, struct text sha256, struct text digest)
{
    return (struct representation){
        .size = size,
        .etag = text_of(arena_printf(op->arena, "\"%.*s\"", TEXT_ARG(sha256))),
        .digest = text_of(arena_printf(op->arena, "sha-256=:%.*s:", TEXT_ARG(digest))),
    };
}

/* The file first, then what is asked for of it. */
static int archive_get_run(struct op *op)
{
    const struct archive_get *in = op->in;
    const struct archive_file *out = op->out;

    if (op->file.end > 0)
        return store_archive_piece(op, in->begins_at);
    if (store_call_one(op) != 0)
        return -1;
    op->file.as[CODING_IDENTITY] = represent(op, out->bytes, out->sha256, out->digest);
    op->file.as[CODING_GZIP] = represent(op, out->gzip_bytes, out->gzip_sha256, out->gzip_digest);
    op->more = true;
    return 0;
}

int archive_piece(struct op *op, int64_t hour_us)
{
    return store_archive_piece(op, hour_us);
}

const struct operation archive_get = {
    .name = "archive_get",
    .lane = LANE_READER,
    .check = archive_get_check,
    .run = archive_get_run,
    .stream = true,
    .file = true,
    .in = FIELDS(archive_get_fields, struct archive_get),
    .out = FIELDS(archive_file_fields, struct archive_file),
    .content_type = "application/x-ndjson",
    .refuses =
        (const enum err_code[]){
            ERR_ARCHIVE_UNKNOWN, ERR_HOUR_NOT_CLOSED, ERR_ARCHIVE_EXPIRED,
            ERR_RANGE_NOT_SATISFIABLE, ERR_NONE},
};
