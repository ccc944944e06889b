/* Server-sent events, as text/event-stream spells them (https://html.spec.whatwg.org, 9.2). */
#pragma once

#include "base/buf.h"
#include "base/fields.h"

/* An event with these data, JSON on one line or more; `id` FIELD_ABSENT: it has none, so that a
 * client which comes back names the last one that had. */
void sse_write(struct buf *ret, struct text event, int64_t id, struct text json);

/* The event of a record: its members `kind` and `seq` are name and id. */
void sse_write_record(struct buf *ret, const struct fields *fields, const void *record);

/* That the reader has been told of everything up to `last_seq`, but for `skipped` entries that are
 * not shown.
 * `more`: there is something behind it already. */
void sse_write_sync(struct buf *ret, int64_t last_seq, int64_t skipped, bool more);
