/* One daemon of libmicrohttpd and the thread that runs it.
 *
 * The thread is ours and not the library's (its "external" mode), for what it gets back from other
 * threads: a batch of messages ends many requests at once. The library's own way wakes its thread
 * for each of them, and has it look through all that are suspended each time, under a lock that the
 * others wait for. Here they are put on a list, and the thread is woken once. Nor does it wait, as
 * the library's does, where exactly as many sockets are ready as the library asks for in one call.
 */
#pragma once

#include <microhttpd.h>

struct loop;

/* A suspended request on its way back: part of whatever the request is kept in. */
struct loop_return {
    struct loop_return *next;
    struct MHD_Connection *connection;
};

/* NULL with errno set where the system has no room. `context` is for loop_context. */
struct loop *loop_new(void *context);
void *loop_context(const struct loop *loop);
/* The daemon is the loop's from now on, and served. -1 with errno set. */
int loop_start(struct loop *loop, struct MHD_Daemon *takes);
/* Ends the thread and closes all connections. No request may be suspended any more. */
void loop_free(struct loop *loop);

/* From what libmicrohttpd calls, on the loop's thread: it gets on with a request. */
void loop_goes_on(struct loop *loop);

/* From any thread, and soon: no connection is accepted any more, and `listening`, the daemon's
 * socket, is shut down, but not closed. */
void loop_stop_accepting(struct loop *loop, int listening);
/* From any thread, once for each suspension: the request goes on. It belongs to the loop's thread
 * again and may be gone. */
void loop_resume(struct loop *loop, struct loop_return *lends);
