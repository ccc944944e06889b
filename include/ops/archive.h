/* Archives, for whoever shows them in another shape. */
#pragma once

#include "base/op.h"

/* For `run` of an operation on a reader thread: the next piece, expanded, of the archive of the
 * hour that begins at `hour_us`. op->file.position says where, .end is the archive's length. */
int archive_piece(struct op *op, int64_t hour_us);
