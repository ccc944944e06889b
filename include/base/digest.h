/* What tells one request from another. */
#pragma once

#include <jansson.h>

#include "base/arena.h"

/* SHA-256 (32 bytes) of an address and a body: by the body's JSON, not by its spelling. Either may
 * be absent. */
struct text digest_of_request(struct text resource, const json_t *body, struct arena *arena);
