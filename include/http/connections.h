/* How long a client may take, and how many clients there may be.
 *
 * libmicrohttpd's own time-out is a timer of inactivity: a client that sends a byte now and then
 * keeps its connection for ever. Here each phase of a connection has an absolute deadline, and one
 * thread shuts the sockets down that are past theirs, and those whose body has sent more than there
 * is room for, which nobody reads any more; libmicrohttpd then finds the end of the
 * stream and closes them as usual. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum connection_phase {
    CONNECTION_HEAD,  /* a request line or the headers are arriving */
    CONNECTION_BODY,  /* the body is arriving */
    CONNECTION_WORK,  /* the request is with the server */
    CONNECTION_REPLY, /* the client is to take the reply */
    CONNECTION_IDLE,  /* between two requests */
    CONNECTION_PHASES
};

struct connections;
struct connection;

/* `limit` connections at most; above `soft_limit` of them connection_is_crowded is true. A
 * phase may last timeout_us[phase] microseconds; 0: any time. NULL when no thread can be started.
 */
struct connections *connections_new(
    size_t limit, size_t soft_limit, const int64_t timeout_us[CONNECTION_PHASES]);
/* Heads and bodies have no more than `at_most_us` from now on, also those that are arriving: at the
 * end of the server a client that has gone without a word shall not be waited for. */
void connections_hurry(struct connections *connections, int64_t at_most_us);

/* Ends the thread: from here on nothing is cut off. May be called again. */
void connections_stop(struct connections *connections);
/* After the last connections_close. Takes NULL. */
void connections_free(struct connections *connections);

/* A new connection, in CONNECTION_HEAD. The socket stays the caller's. NULL when the table is full;
 * the socket has been shut down then, because nothing would watch over it. */
struct connection *connections_open(struct connections *connections, int fd);
/* Must come before the socket is closed: its number may belong to another connection afterwards.
 * Takes NULL as connection. */
void connections_close(struct connections *connections, struct connection *connection);

/* Starts the phase and its deadline; does nothing when the connection is in that phase already, so
 * a deadline cannot be put off by repeating. Called only by the thread that serves the connection;
 * takes no lock. Takes NULL. */
void connections_phase(struct connection *connection, enum connection_phase phase);

/* Bytes of the body were taken. Called by the same thread; takes no lock. Takes NULL. */
void connections_body_goes_on(struct connection *connection);

size_t connections_count(const struct connections *connections);
/* It came when there were soft_limit others or more: it should be answered 503 and closed, so that
 * a client learns of the crowd while there is still room to say so. Those that were there first are
 * not disturbed. Takes NULL. */
bool connection_is_crowded(const struct connection *connection);
