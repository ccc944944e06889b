/* How a thread keeps its connection: at once when it is lost, then with growing pauses. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "store/db.h"

struct connector {
    struct db *db;
    atomic_bool
        *available;   /* shared: whether the database was reached at the last try of any thread */
    int64_t pause_us; /* before the next try; 0: at once */
    int64_t next_try_us; /* monotonic */
};

void connector_init(
    struct connector *connector, struct db *borrows, atomic_bool *borrows_available);
/* True when there is a connection to work with. Tries to make one when it is time to. */
bool connector_ready(struct connector *connector);
/* How long the thread may sleep before it should look after its connection again. */
int64_t connector_patience_us(const struct connector *connector);
