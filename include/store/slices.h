/* What an operation removes slice by slice, in a transaction each: too much for one, which would
 * keep others waiting. */
#pragma once

#include "base/op.h"
#include "store/db.h"

/* Within an operation that deletes a user: removes some of what the user owned and reads the
 * receipt, as it is now, into op->out. -1, with op->out as it was, when the database failed. */
int store_erasure_continue(struct op *op, struct text id);

/* Within an operation that removes a conversation from a user's list: removes its messages from the
 * user's side, slice by slice. Asked again after an error, it goes on. */
int store_conversation_clear(struct op *op, struct text user, struct text peer);

/* -1 with one sentence in `why` when the database does not fit this program. */
int slices_check(struct db *db, char *why, size_t why_size);
