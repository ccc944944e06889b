/* Where an operation goes once it is decoded and allowed. */
#pragma once

#include "base/op.h"

/* Decoding has named wrong fields: what the operation's own rules find wrong is named beside them,
 * so that the client learns of everything at once. */
void op_name_rest(struct op *op);
/* Runs the operation's check and then runs it, or puts it in line. Calls op->done exactly once,
 * perhaps before this returns. */
void op_dispatch(struct op *op);
