/* Server-sent events, as the HTML standard reads them: bytes in any pieces come in, events go out.
 *
 * Of the fields `event`, `data` and `id` are used; `retry` and comments are passed over. Lines end
 * in LF, CR LF or CR. */
#pragma once

#include "base/buf.h"

/* A bound for one event; the server's are smaller than 64 KiB. */
#define SSE_EVENT_BYTES (1024 * 1024)

struct sse {
    struct buf line;
    struct buf data;
    struct buf name;
    bool has_data;
    bool after_cr; /* the next byte may be the LF that belongs to it */
    bool begun;    /* the place of a byte order mark is behind us */
};

struct sse_event {
    struct text name; /* "message" where the stream gives none */
    struct text data;
};

void sse_init(struct sse *sse);
void sse_done(struct sse *sse);

/* Takes bytes off the front of *rest until an event is whole: true, and *ret is good until the next
 * call. False when all bytes are taken, or something is larger than SSE_EVENT_BYTES: then
 * sse_failed says so, for good. */
bool sse_next(struct sse *sse, struct text *rest, struct sse_event *ret);

static inline bool sse_failed(const struct sse *sse)
{
    return sse->line.failed || sse->data.failed || sse->name.failed;
}
