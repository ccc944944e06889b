/* Where an operation goes once it is decoded and allowed. */
#pragma once

#include "base/op.h"

/* Runs the operation's check and then runs it, or puts it in line. Calls op->done exactly once,
 * perhaps before this returns. */
void op_dispatch(struct op *op);
