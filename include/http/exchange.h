/* One request and its reply.
 *
 * The HTTP thread owns it while it arrives and while it is answered. In between, an operation that
 * waits for the database owns it: the request is suspended then, and resumed exactly once, by the
 * operation's `done`. */
#pragma once

#include <microhttpd.h>

#include "http/server.h"

struct exchange;

/* At the request line; the target is still percent-encoded. */
struct exchange *exchange_new(
    struct loop *loop,
    struct MHD_Connection *connection,
    struct connection *watched,
    const char *target);
/* The access handler of libmicrohttpd. */
enum MHD_Result exchange_handle(
    struct exchange *exchange,
    const char *method,
    const char *version,
    const char *upload,
    size_t *upload_size);
/* When libmicrohttpd is done with the request, however it ended. */
void exchange_free(struct exchange *exchange);
