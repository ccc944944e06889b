/* The gate: what the head of a request must be before anything else looks at it.
 *
 * libmicrohttpd 0.9.75 is lenient where leniency is how one request is smuggled inside another: it
 * takes Transfer-Encoding together with Content-Length, the first of two lengths, any method, any
 * HTTP/1.x, names with blanks, bare line feeds, and text up to a NUL. Programs in front of this one
 * read the same bytes in another way. So whatever two readers could take for two different requests
 * is refused, and the connection must be closed after the refusal: where the next request would
 * begin is exactly what is in doubt. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

#define GATE_HEADERS 64
/* A connection has 16 KiB, in which the head of the reply must find room beside that of the
 * request: else the request would be carried out and the client would not hear of it. */
#define GATE_HEAD_BYTES (14 << 10)
#define GATE_REQUEST_ID_BYTES 64

struct gate_header {
    struct text name, value;
};

/* As libmicrohttpd gives it to the handler, values untrimmed. */
struct gate_head {
    struct text method, version;
    const struct gate_header *headers; /* in the order of the request */
    size_t n_headers;
    size_t target_bytes; /* length of the target between method and version */
    /* MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE: bytes from the method to the end of the empty line.
     * Version, names and values must lie where they were received then, not be copies: so it is
     * seen whether they are all there was. 0 turns that check off. */
    size_t size;
};

struct gate {
    bool has_body;
    bool chunked;
    int64_t content_length; /* -1 when chunked or none */
    /* Trimmed; absent when not sent. */
    struct text host, authorization, content_type, idempotency_key, request_id, if_match,
        if_none_match, if_range, range, accept, accept_encoding, last_event_id;
    bool expect_continue;
};

/* -1 with ERR_MALFORMED_REQUEST, ERR_HEADERS_TOO_LARGE, ERR_EXPECTATION_FAILED, ERR_BODY_TOO_LARGE
 * or ERR_UNSUPPORTED_MEDIA_TYPE. *ret borrows from *head. On a refusal it holds nothing but, where
 * one could be read, request_id: for the answer and the log. */
int gate_check(const struct gate_head *head, int64_t body_limit, struct gate *ret, struct err *err);
