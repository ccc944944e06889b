/* Replies: what an operation or an error becomes on the wire. */
#pragma once

#include <stdbool.h>

#include <microhttpd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/op.h"
#include "base/text.h"
#include "http/rate_limit.h"

struct reply {
    int status;
    const char *content_type;        /* NULL: no body */
    char *body;                      /* takes; malloced. NULL: no body, or `fixed`, or `document` */
    struct text fixed;               /* a body that outlives the reply's arena: copied */
    const struct document *document; /* a body that is neither copied nor compressed here */
    size_t body_size;
    /* A body of any length, asked for bit by bit, instead of `body`; or NULL. */
    MHD_ContentReaderCallback read;
    void *reader;       /* of `read` */
    uint64_t read_size; /* how much it gives; 0: that is not known, and the reply goes in chunks */
    const char *coding; /* of what it gives, or NULL */
};

/* What of the request decides how it is answered. */
struct reply_context {
    struct text request_id;
    struct text if_none_match; /* absent: no comparison */
    struct text accept_encoding;
    const char *location;      /* or NULL */
    const char *allow;         /* or NULL */
    const char *content_range; /* or NULL */
    struct text digest;        /* of the whole, as Repr-Digest; or absent */
    bool ranges;               /* a part of it can be asked for */
    const char *own_header;    /* of the operation; or NULL */
    const char *own_value;
    bool replayed;
    struct text tag; /* the resource's own entity tag; absent: it has none */
    bool etag;       /* one resource, read: it has a tag, its own or a digest of the body */
    bool close;      /* the connection ends with this reply */
    int retry_after_s;
    struct rate_state rate;
};

/* The problem document (RFC 9457) of an error. `is_write`: it also says whether anything was
 * applied; `repeatable`: repeating the request cannot apply it twice. */
char *reply_problem(const struct err *err, struct text request_id, bool is_write, bool repeatable);

/* Status line and headers of a stream of events in chunks, for which there is no struct
 * MHD_Response. */
struct text reply_event_head(const struct reply_context *context, struct arena *arena);

/* NULL when libmicrohttpd cannot make it. Takes reply->body. */
struct MHD_Response *reply_make(struct reply *reply, const struct reply_context *context);
