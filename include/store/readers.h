/* The pool: threads with a connection each, and one line of operations that wait for them. */
#pragma once

#include "store/call.h"
#include "store/db.h"
#include "store/store.h"

struct readers;

struct readers *readers_new(
    const struct settings *borrows,
    const struct db_config *borrows_config,
    struct metrics *borrows_metrics,
    const struct call *const *borrows_calls);
int readers_start(struct readers *readers);
void readers_stop(struct readers *readers);
void readers_free(struct readers *readers);

int readers_put(struct readers *readers, struct op *op);
size_t readers_waiting(struct readers *readers);
/* Whether any thread has a connection. */
bool readers_connected(struct readers *readers);
