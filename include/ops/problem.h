/* What went wrong with one item of several, as it stands in the list of results. */
#pragma once

#include "base/arena.h"
#include "base/text.h"

/* *problem holds an error's code, as SQL gives it, or is absent: then nothing changes. It becomes
 * the JSON of a problem document, *status what the item would have been answered with alone. */
void problem_tell(struct arena *arena, struct text *problem, int64_t *status);
