/* One batch of messages: one call, one transaction, one outcome for each. */
#pragma once

#include "store/db.h"
#include "store/store.h"
#include "store/users.h"

struct batcher {
    struct db *db;
    struct users *users;
    struct metrics *metrics;
};

/* -1 with one sentence in `why` when the database has not the functions that batches call. */
int batch_check(struct db *db, char *why, size_t why_size);

/* Stores what can be stored and calls `done` of each exactly once. When the call fails as a whole
 * for a reason that lies in one of its messages, they are tried again one by one. */
void batch_store(struct batcher *batcher, struct send **sends, size_t n);
