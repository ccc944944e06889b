#include "http/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/buf.h"
#include "base/memory.h"
#include "http/selection.h"

/* ---- problem documents ---- */

static json_t *encode_fields(const struct err *err)
{
    json_t *array = json_array();

    for (const struct err_field *field = err->fields; field; field = field->next)
        json_array_append_new(
            array, json_pack("{s:s, s:s}", "pointer", field->pointer, "detail", field->detail));
    return array;
}

char *reply_problem(const struct err *err, struct text request_id, bool is_write, bool repeatable)
{
    const struct err_info *info = err_info(err->code);
    bool unknown = err->outcome == ERR_OUTCOME_UNKNOWN;
    char type[128];

    snprintf(type, sizeof(type), "/problems/%s", info->code);
    json_t *problem = json_pack(
        "{s:s, s:s, s:i, s:s, s:s%, s:b}", "type", type, "title", info->title, "status",
        info->status, "code", info->code, "request_id", request_id.ptr, request_id.len, "retryable",
        err_is_transient(err->code) && (repeatable || !unknown));
    if (is_write)
        json_object_set_new(problem, "outcome", json_string(unknown ? "unknown" : "not_applied"));
    if (err->detail && err->detail[0])
        json_object_set_new(problem, "detail", json_string(err->detail));
    if (err->fields)
        json_object_set_new(problem, "errors", encode_fields(err));
    char *text = json_dumps(problem, JSON_COMPACT);
    json_decref(problem);
    return text;
}

/* ---- gzip ---- */

#define GZIP_FROM_BYTES 1024
#define GZIP_WINDOW_BITS (15 + 16) /* 16: with gzip's head and tail */

/* The body in less room; false when it is not worth it. */
static bool compress_body(struct reply *reply)
{
    z_stream stream = {0};

    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return false;
    size_t room = reply->body_size;
    char *body = mem_alloc(room);
    stream.next_in = (Bytef *)reply->body;
    stream.avail_in = (uInt)reply->body_size;
    stream.next_out = (Bytef *)body;
    stream.avail_out = (uInt)room;
    int result = deflate(&stream, Z_FINISH);
    size_t size = stream.total_out;
    deflateEnd(&stream);
    if (result != Z_STREAM_END) {
        free(body);
        return false;
    }
    free(reply->body);
    reply->body = body;
    reply->body_size = size;
    return true;
}

/* ---- entity tags ---- */

#define ETAG_BYTES 80

static void make_etag(const struct reply *reply, char ret[ETAG_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    EVP_Digest(reply->body, reply->body_size, digest, &length, EVP_sha256(), NULL);
    size_t used = (size_t)snprintf(ret, ETAG_BYTES, "W/\"");
    for (size_t i = 0; i < 16; i++)
        used += (size_t)snprintf(ret + used, ETAG_BYTES - used, "%02x", digest[i]);
    snprintf(ret + used, ETAG_BYTES - used, "\"");
}

/* ---- the response ---- */

/* Of a body that is asked for bit by bit, where the reply is not in chunks. */
#define READ_BYTES (64u << 10)

struct heading {
    struct MHD_Response *response;
    bool failed;
};

static void add_header(struct heading *h, const char *name, const char *value)
{
    /* It refuses what would break out of the header: a reply without it would be another one. */
    if (value && MHD_add_response_header(h->response, name, value) != MHD_YES)
        h->failed = true;
}

#define RATE_BYTES 64

static void write_rate(const struct rate_state *rate, char ret[RATE_BYTES])
{
    snprintf(
        ret, RATE_BYTES, "\"%s\";r=%lld;t=%lld", rate->name, (long long)rate->remaining,
        (long long)rate->full_in_s);
}

static void add_rate(struct heading *h, const struct rate_state *rate)
{
    char value[RATE_BYTES];

    if (!rate->policy)
        return;
    write_rate(rate, value);
    add_header(h, "RateLimit-Policy", rate->policy);
    add_header(h, "RateLimit", value);
}

static void add_headers(struct heading *h, const struct reply *reply, const struct reply_context *c)
{
    char retry_after[16];

    add_header(h, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
    add_header(h, "X-Request-Id", c->request_id.ptr);
    add_header(h, MHD_HTTP_HEADER_CACHE_CONTROL, c->etag ? "private, no-cache" : "no-store");
    add_header(h, "X-Content-Type-Options", "nosniff");
    add_header(h, MHD_HTTP_HEADER_LOCATION, c->location);
    add_header(h, MHD_HTTP_HEADER_ALLOW, c->allow);
    add_header(h, MHD_HTTP_HEADER_CONTENT_RANGE, c->content_range);
    add_header(h, MHD_HTTP_HEADER_ACCEPT_RANGES, c->ranges ? "bytes" : NULL);
    add_header(h, "Repr-Digest", c->digest.ptr);
    if (c->own_header)
        add_header(h, c->own_header, c->own_value);
    if (reply->status == MHD_HTTP_UNAUTHORIZED)
        add_header(h, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (c->replayed)
        add_header(h, "Idempotency-Replayed", "true");
    if (c->close)
        add_header(h, MHD_HTTP_HEADER_CONNECTION, "close");
    if (c->retry_after_s) {
        snprintf(retry_after, sizeof(retry_after), "%d", c->retry_after_s);
        add_header(h, MHD_HTTP_HEADER_RETRY_AFTER, retry_after);
    }
    add_rate(h, &c->rate);
}

static void own_body(struct reply *reply)
{
    if (!reply->body && text_present(reply->fixed)) {
        reply->body = mem_alloc(reply->fixed.len + 1);
        memcpy(reply->body, reply->fixed.ptr, reply->fixed.len);
        reply->body_size = reply->fixed.len;
    }
}

/* As MHD_create_response_from_buffer has it, which only reads what it is given for good. */
static struct MHD_Response *create_lasting_response(struct text body)
{
    return MHD_create_response_from_buffer(
        body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *create_response(const struct reply *reply)
{
    if (reply->document)
        return create_lasting_response(
            reply->coding ? reply->document->gzip : reply->document->plain);
    if (reply->read)
        return MHD_create_response_from_callback(
            reply->read_size ? reply->read_size : MHD_SIZE_UNKNOWN, READ_BYTES, reply->read,
            reply->reader, NULL);
    return MHD_create_response_from_buffer(reply->body_size, reply->body, MHD_RESPMEM_MUST_FREE);
}

struct MHD_Response *reply_make(struct reply *reply, const struct reply_context *context)
{
    char etag[ETAG_BYTES] = "";
    const char *coding = reply->coding;

    own_body(reply);
    if (text_present(context->tag))
        snprintf(etag, sizeof(etag), "%.*s", (int)context->tag.len, context->tag.ptr);
    else if (context->etag)
        make_etag(reply, etag);
    if (context->etag && matches_etag(context->if_none_match, text_of(etag))) {
        reply->status = MHD_HTTP_NOT_MODIFIED;
        reply->content_type = NULL;
        reply->body_size = 0;
        reply->read = NULL;
        coding = NULL;
    }
    bool gzip = accepts(context->accept_encoding, TEXT("gzip"));
    /* A strong tag names the very bytes: those that are compressed are others. */
    if (gzip && reply->body_size >= GZIP_FROM_BYTES && !text_present(context->tag) &&
        compress_body(reply))
        coding = "gzip";
    if (gzip && reply->document)
        coding = reply->coding = "gzip";
    struct heading h = {create_response(reply), false};
    if (!h.response) {
        free(TAKE(reply->body));
        return NULL;
    }
    reply->body = NULL;
    add_headers(&h, reply, context);
    add_header(&h, MHD_HTTP_HEADER_ETAG, etag[0] ? etag : NULL);
    add_header(&h, MHD_HTTP_HEADER_CONTENT_ENCODING, coding);
    if (context->etag || coding || reply->document)
        add_header(&h, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
    if (!h.failed)
        return h.response;
    MHD_destroy_response(h.response);
    return NULL;
}

struct text reply_event_head(const struct reply_context *context, struct arena *arena)
{
    const struct rate_state *rate = &context->rate;
    char value[RATE_BYTES];
    buf_auto head = BUF(4096);
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(value, sizeof(value), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    buf_printf(
        &head,
        "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: text/event-stream\r\nX-Request-Id: %.*s\r\n"
        "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\n",
        value, TEXT_ARG(context->request_id));
    if (rate->policy) {
        write_rate(rate, value);
        buf_printf(&head, "RateLimit-Policy: %s\r\nRateLimit: %s\r\n", rate->policy, value);
    }
    buf_text(&head, TEXT("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
    return arena_text(arena, buf_as_text(&head));
}
