/* Result rows into structs, by field tables and by the columns' names. */
#pragma once

#include <libpq-fe.h>

#include "base/arena.h"
#include "base/fields.h"

/* Which column each field of a table has in a result, in the order in which the table is walked. */
struct row_map {
    int *columns;
    size_t n;
};

/* -1, with the name of the missing or mistyped column in *ret_wrong, when the result does not fit.
 * Columns of an OBJECT are prefixed with its name and '_'; those of a MESSAGE_ID are
 * <name>_receiver, <name>_receiver_seq, <name>_sender, <name>_sender_seq, <name>_sent_at,
 * <name>_nonce. */
int row_map_make(
    const PGresult *result,
    const struct fields *fields,
    const char *prefix,
    struct arena *arena,
    struct row_map *ret,
    const char **ret_wrong);

/* Copies the row; nothing in *record points into the result. -1 when JSON in it is broken. */
int row_read(
    const PGresult *result,
    int row,
    const struct fields *fields,
    const struct row_map *map,
    struct arena *arena,
    void *record);

/* Reads the row and adds it to `ret` as a line of JSON. */
int row_write_line(
    const PGresult *result,
    int row,
    const struct fields *fields,
    const struct row_map *map,
    struct arena *arena,
    struct buf *ret);

/* Single columns, by number; null gives absent, 0 or false. */
struct text row_text(const PGresult *result, int row, int column, struct arena *arena);
int64_t row_i64(const PGresult *result, int row, int column);
bool row_bool(const PGresult *result, int row, int column);
int64_t row_time(const PGresult *result, int row, int column);
