/* What went wrong with single items of several: how results tell it. */
#pragma once

#include "base/op.h"

/* After store_call_rows: completes the `results` of an operation on `in_list`, a list of its
 * request whose members go one by one. A row's `problem`, the code of an error as SQL gives it,
 * becomes the JSON of a problem document, its `status` what the item would have been answered with
 * alone; members that were left out get a result at their place. `key` is the member that a result
 * and an item share, which may be the item itself; NULL: none. */
void problem_tell(struct op *op, const char *in_list, const char *key);
