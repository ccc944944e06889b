/* Requests to the server: what libcurl is told, and what an answer means.
 *
 * An exchange is one request and its answer, on a handle of its own that may be used again. It is
 * run by http_ask, which waits, or by whoever adds its handle to a multi handle. */
#pragma once

#include <curl/curl.h>
#include <jansson.h>

#include "base/buf.h"
#include "duet.h"

/* More than the largest page of the API has. */
#define HTTP_REPLY_BYTES (16 * 1024 * 1024)

/* What all requests of a session share; fixed. */
struct http {
    const char *server;  /* without a slash at its end */
    const char *ca_file; /* NULL: the system's */
    long timeout_ms;
};

struct http_request {
    const char *method;
    struct text path; /* with the query */
    struct text body; /* JSON; absent: none */
    struct text token;
    bool is_stream; /* text/event-stream, without a limit of time */
};

struct exchange {
    CURL *easy;
    struct curl_slist *headers;
    struct buf reply;
    bool pausable; /* of a stream: the sender waits while much is unread, instead of failing */
    bool paused;
};

struct answer {
    enum duet_error error; /* DUET_OK: 2xx */
    bool decided;          /* by the server, for good: the same request would be answered alike */
    char code[64];         /* of a problem, else empty */
    json_t *json;          /* NULL where there is no body */
    int64_t retry_after_us;
};

/* Why, in the server's words, the most particular ones; empty where it said nothing. */
const char *answer_reason(const struct answer *answer);
void answer_done(struct answer *answer);
#define answer_auto __attribute__((cleanup(answer_done))) struct answer

/* Once a process, before anything else of this file; any thread. False when libcurl cannot run. */
bool http_start(void);

/* The exchange is zeroed before its first use. */
void http_prepare(struct exchange *x, const struct http *http, const struct http_request *request);
/* Waits for the answer. */
CURLcode http_perform(struct exchange *x);
struct answer http_finish(struct exchange *x, CURLcode code);
void exchange_done(struct exchange *x);

/* Takes what has been received of a stream; the caller's. */
struct buf http_take(struct exchange *x);
bool http_is_stream(const struct exchange *x);

/* One segment of a path, or a value of a query, percent-encoded. */
void http_add_escaped(struct buf *path, const char *value);
