/* The eight kinds of elements a message is made of. */
#pragma once

#include "base/fields.h"

extern const struct variant element_types[];
