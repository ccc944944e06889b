#include "store/archive.h"

#include <zlib.h>

#include "base/clock.h"
#include "store/call.h"
#include "store/rows.h"
#include "store/store.h"

#define GZIP_WINDOW_BITS (15 + 16) /* 16: with gzip's head and tail */
#define RAW_WINDOW_BITS (-15)      /* without either */

static const struct statement archive_chunk_get = {
    .name = "archive_chunk_get",
    .sql = "select begins_at, bytes, content from duet.archive_chunk_get("
           "p_hour => $1, p_gzip => $2, p_position => $3)",
    .types = (const Oid[]){PG_TIMESTAMPTZ, PG_BOOL, PG_INT8},
    .n_types = 3,
};

enum column { COLUMN_BEGINS_AT, COLUMN_BYTES, COLUMN_CONTENT };

int archive_check(struct db *db, char *why, size_t why_size)
{
    return statement_check(db, &archive_chunk_get, why, why_size);
}

/* The first piece begins with gzip's head; what is behind the contents of the last is not looked
 * at. */
static int expand(
    struct text content, bool first, size_t size, struct arena *arena, struct text *ret)
{
    char *out = arena_alloc(arena, size + 1);
    z_stream stream = {
        .next_in = (Bytef *)(uintptr_t)content.ptr,
        .avail_in = (uInt)content.len,
        .next_out = (Bytef *)out,
        .avail_out = (uInt)size,
    };

    if (inflateInit2(&stream, first ? GZIP_WINDOW_BITS : RAW_WINDOW_BITS) != Z_OK)
        return -1;
    int result = inflate(&stream, Z_SYNC_FLUSH);
    inflateEnd(&stream);
    *ret = (struct text){out, size};
    return (result == Z_OK || result == Z_STREAM_END) && stream.avail_out == 0 ? 0 : -1;
}

/* Cuts off what stands before the place that is asked for, and behind the end. */
static int give(struct op *op, struct text piece, int64_t begins_at)
{
    struct file *file = &op->file;
    int64_t skip = file->position - begins_at;
    int64_t left = file->end - file->position;

    if (skip < 0 || skip >= (int64_t)piece.len)
        return -1;
    op->raw = (struct text){piece.ptr + skip, piece.len - (size_t)skip};
    if ((int64_t)op->raw.len > left)
        op->raw.len = (size_t)left;
    file->position += (int64_t)op->raw.len;
    op->more = file->position < file->end;
    return 0;
}

static PGresult *get_chunk(struct op *op, int64_t hour_us)
{
    struct params params;
    struct db_error error;

    params_init(&params, op->arena);
    params_time(&params, hour_us);
    params_bool(&params, op->file.coding == CODING_GZIP);
    params_i64(&params, op->file.position);
    int64_t begun = clock_mono_us();
    PGresult *result = db_call_retrying(op->db, &archive_chunk_get, &params, &error);
    op->database_us += clock_mono_us() - begun;
    if (!result)
        db_error_to_err(&error, op->err);
    return result;
}

int store_archive_piece(struct op *op, int64_t hour_us)
{
    db_result_auto *result = get_chunk(op, hour_us);

    if (!result)
        return -1;
    if (PQntuples(result) != 1)
        return err_set(op->err, ERR_ARCHIVE_EXPIRED, "it went while it was read");
    int64_t begins_at = row_i64(result, 0, COLUMN_BEGINS_AT);
    struct text piece = row_text(result, 0, COLUMN_CONTENT, op->arena);
    int failed = 0;
    if (op->file.coding == CODING_IDENTITY)
        failed = expand(
            piece, begins_at == 0, (size_t)row_i64(result, 0, COLUMN_BYTES), op->arena, &piece);
    if (failed || give(op, piece, begins_at) != 0)
        return err_set(op->err, ERR_INTERNAL, "a piece of the archive is not as it was stored");
    return 0;
}
