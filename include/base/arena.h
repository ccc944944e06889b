/* The memory of one request: taken piece by piece, given back all at once.
 *
 * Memory that cannot be had ends the process: every message answered with 2xx is in the database by
 * then, and a supervisor starts the program anew. What clients may make us hold is bounded
 * elsewhere. */
#pragma once

#include <stddef.h>

#include "base/text.h"

struct arena;

struct arena *arena_new(void);
/* Runs what arena_defer registered, last first, then frees everything. Takes NULL. */
void arena_free(struct arena *arena);

/* Zeroed, aligned for any type; lives as long as the arena. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_copy(struct arena *arena, const void *bytes, size_t size);
/* A copy that also ends in NUL. */
struct text arena_text(struct arena *arena, struct text t);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* `release(handle)` is called by arena_free: for handles of libraries that belong to the request.
 */
void arena_defer(struct arena *arena, void (*release)(void *handle), void *handle);
