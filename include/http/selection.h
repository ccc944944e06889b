/* What a request asks for by its header fields: a coding, a condition, a part (RFC 9110, 12 to 14).
 * No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/op.h"

/* `wanted` is one of the list in Accept or Accept-Encoding, not with a weight of 0. */
bool accepts(struct text list, struct text wanted);

/* By the weak comparison that If-None-Match asks for. */
bool matches_etag(struct text if_none_match, struct text etag);

/* Trimmed values; absent when not sent. */
struct selecting {
    bool is_get; /* otherwise HEAD, which has no ranges */
    struct text accept_encoding, if_none_match, if_range, range;
};

struct selection {
    int status; /* 200, 206, 304 or 416 */
    enum coding coding;
    int64_t position; /* of the first byte to be sent */
    int64_t end;      /* behind the last */
};

/* One range is served. Several are as well answered with everything, as is what is no range of
 * bytes. */
struct selection selection_make(const struct selecting *request, const struct file *file);
