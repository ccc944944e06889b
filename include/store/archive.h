/* The bytes of archives, as they lie in the database: pieces of one gzip file, each of which can be
 * expanded by itself. */
#pragma once

#include "base/op.h"

struct db;

/* A piece is cut behind the line that makes it so long, before compression. */
#define ARCHIVE_CHUNK_BYTES (256u << 10)

/* -1 with one sentence in `why` when the database does not fit. */
int archive_check(struct db *db, char *why, size_t why_size);

/* For `run` of an operation with `.file`: the next piece of what op->file asks for, of the archive
 * of the hour that begins at `hour_us`. */
int store_archive_piece(struct op *op, int64_t hour_us);
