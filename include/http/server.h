/* The HTTP server: several daemons of libmicrohttpd, one thread each (http/loop.h), on one port.
 *
 * Not one pool: libmicrohttpd 0.9.75 aborts now and then when an epoll pool is told to stop
 * accepting. Each daemon has a listening socket of its own (SO_REUSEPORT); the kernel spreads the
 * connections. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"
#include "http/connections.h"
#include "http/loop.h"
#include "http/rate_limit.h"
#include "http/streams.h"
#include "http/token.h"
#include "ops/services.h"

struct server {
    struct services *services; /* borrowed */
    struct tokens *tokens;     /* borrowed */
    struct connections *connections;
    struct rate_limit *limits;
    struct streams *streams;
    unsigned idle_timeout_s; /* of libmicrohttpd: longer than any of ours */
    char request_id_prefix[17];
    atomic_uint_least64_t n_requests;

    struct loop **loops;
    int *sockets; /* of each loop */
    size_t n_loops;
};

/* Listens and serves. -1 with one sentence in `why`. `ret_address` is where, with the port it got.
 */
int server_start(
    struct services *borrows_services,
    struct tokens *borrows_tokens,
    struct server **ret,
    char *ret_address,
    size_t address_size,
    char *why,
    size_t why_size);

/* No new connections; replies on those that are open close them, and streams end. */
void server_stop_accepting(struct server *server);
/* Waits until every request has been answered and every stream has ended, `seconds` at the most;
 * true when they all were. */
bool server_drain(struct server *server, int64_t seconds);
/* Closes all. No request may be suspended any more: whoever holds one has called its `done`. */
void server_free(struct server *server);
