/* How a thread keeps its connection: at once when it is lost, then with growing pauses. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "store/db.h"

struct connector {
    struct db *db;
    atomic_int *n_connected; /* shared by threads that do the same work */
    bool connected;          /* counted there */
    int64_t pause_us;        /* before the next try; 0: at once */
    int64_t next_try_us;     /* monotonic */
};

void connector_init(
    struct connector *connector, struct db *borrows, atomic_int *borrows_n_connected);
void connector_done(struct connector *connector);

/* True when there is a connection to work with. Tries to make one when it is time to. */
bool connector_ready(struct connector *connector);
/* Whether this thread or another one of the same work has a connection. */
bool connector_any(const struct connector *connector);
/* How long the thread may sleep before it should look after its connection again. */
int64_t connector_patience_us(const struct connector *connector);
