/* The sockets of event streams, and the thread that serves them.
 *
 * A stream is open for hours and has nothing to do for most of them. libmicrohttpd would keep 20 KB
 * for each of its connections, would not notice a client that has gone, and looks at every
 * suspended connection when it resumes one. So the socket is taken out of its hands with the
 * reply's head; a stream at rest is some 500 bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/op.h"
#include "base/watch.h"
#include "ops/services.h"

struct streams;
struct stream;

/* NULL when no thread can be started. */
struct streams *streams_new(struct services *borrows);
/* All streams end, with a last event that says so; returns at once. */
void streams_stop(struct streams *streams);
/* Ends them, and waits for the end of the last. */
void streams_free(struct streams *streams);
size_t streams_count(struct streams *streams);

/* For a request that asks for one: op->watch is to be stream_watch. */
struct stream *stream_new(struct streams *streams);
struct watch *stream_watch(struct stream *stream);
/* Takes the socket out of libmicrohttpd's hands: what it goes on with there is a dead one. -1 when
 * it cannot. */
int stream_take_socket(struct stream *stream, int fd);
/* The operation has opened it, and op->raw is its first page. Sends the head and the page, and all
 * that follows. Takes the stream, and the arena with all that belongs to the op. */
void stream_start(struct stream *takes, struct text head, struct op *op, struct arena *takes_arena);
/* Of one that is not started after all. Takes NULL. */
void stream_discard(struct stream *stream);
