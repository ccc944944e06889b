/* What went wrong with one item of several, as it stands in the list of results. */
#pragma once

#include "base/arena.h"
#include "base/text.h"

/* The JSON of a problem document for an error's code, as SQL gives it; absent for absent. */
struct text problem_of(struct arena *arena, struct text code);
/* The status that the item would have been answered with alone. */
int problem_status(struct text code);
