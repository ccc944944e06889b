/* Makes the archives: a thread that closes each hour when it is over.
 *
 * Of several servers one does, whichever comes first. An archive is made in one transaction that
 * sees one moment, so a server that is killed at it leaves nothing, and the next begins anew. See
 * docs/archives.md. */
#pragma once

#include "base/fields.h"
#include "store/db.h"

struct archiver;

/* `line`: how a message is written. */
struct archiver *archiver_new(
    const struct db_config *borrows_config,
    struct metrics *borrows_metrics,
    const struct fields *borrows_line);
int archiver_start(struct archiver *archiver);
/* Gives up what it is at. */
void archiver_stop(struct archiver *archiver);
void archiver_free(struct archiver *archiver);

/* -1 with one sentence in `why` when the database does not fit. */
int archiver_check(struct db *db, const struct fields *line, char *why, size_t why_size);
