/* Requests that are repeated: an Idempotency-Key makes a request take effect once.
 *
 * The reply is kept with the key in the very transaction of the call, and given again to whoever
 * repeats the request within 24 hours. A refused request keeps nothing: it is judged anew. */
#pragma once

#include "base/op.h"
#include "store/db.h"

/* Whether the operation takes an Idempotency-Key, and this request has one. */
bool request_has_key(const struct op *op);

/* On a reader thread: `run` within a transaction, unless the request was answered before. Then
 * op->stored_reply is that answer. */
int request_run_once(struct op *op, int (*run)(struct op *op));

/* -1 with one sentence in `why` when the database does not fit this program. */
int request_check(struct db *db, char *why, size_t why_size);
