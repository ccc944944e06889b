#include "client/http.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"

#define CONNECT_TIMEOUT_MS 10000L
/* The server sends a comment each 15 s. */
#define STREAM_SILENCE_S 45L
#define UNREAD_BYTES (256 * 1024)

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static bool curl_runs;

static void start_curl(void)
{
    curl_runs = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

bool http_start(void)
{
    pthread_once(&curl_once, start_curl);
    return curl_runs;
}

void http_add_escaped(struct buf *path, const char *value)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

    for (const char *p = value; *p; p++) {
        if (strchr(plain, *p))
            buf_char(path, *p);
        else
            buf_printf(path, "%%%02X", (unsigned)(unsigned char)*p);
    }
}

static size_t take_bytes(char *bytes, size_t one, size_t n, void *user)
{
    struct exchange *x = user;

    (void)one; /* always 1 */
    if (x->pausable && x->reply.len > UNREAD_BYTES) {
        x->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    buf_add(&x->reply, bytes, n);
    return x->reply.failed ? CURL_WRITEFUNC_ERROR : n;
}

static void add_header(struct exchange *x, const char *name, struct text value)
{
    buf_auto line = BUF(64 * 1024);

    buf_printf(&line, "%s: %.*s", name, TEXT_ARG(value));
    buf_char(&line, '\0');
    x->headers = curl_slist_append(x->headers, line.ptr);
}

static void set_limits(CURL *easy, const struct http *http, bool is_stream)
{
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    if (is_stream) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, STREAM_SILENCE_S);
    } else {
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, http->timeout_ms);
    }
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(
        easy, CURLOPT_FOLLOWLOCATION, 0L); /* a token is for the server it was made for */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (http->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
}

void http_prepare(struct exchange *x, const struct http *http, const struct http_request *request)
{
    buf_auto url = BUF(16 * 1024);
    buf_auto authorization = BUF(64 * 1024);

    if (x->easy)
        curl_easy_reset(x->easy); /* keeps the connection */
    else
        x->easy = curl_easy_init();
    curl_slist_free_all(x->headers);
    x->headers = NULL;
    buf_done(&x->reply);
    x->reply = BUF(HTTP_REPLY_BYTES);
    x->pausable = request->is_stream;
    x->paused = false;

    buf_printf(&url, "%s%.*s", http->server, TEXT_ARG(request->path));
    buf_char(&url, '\0');
    buf_printf(&authorization, "Bearer %.*s", TEXT_ARG(request->token));
    add_header(x, "Authorization", buf_as_text(&authorization));
    add_header(
        x, "Accept", request->is_stream ? TEXT("text/event-stream") : TEXT("application/json"));
    if (text_present(request->body)) {
        add_header(x, "Content-Type", TEXT("application/json"));
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(x->easy, CURLOPT_COPYPOSTFIELDS, request->body.ptr);
    } else if (strcmp(request->method, "GET") != 0) {
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        curl_easy_setopt(x->easy, CURLOPT_COPYPOSTFIELDS, "");
        add_header(x, "Content-Type", TEXT(""));
    }
    curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(x->easy, CURLOPT_URL, url.ptr);
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
    curl_easy_setopt(x->easy, CURLOPT_USERAGENT, "libduet/" DUET_VERSION);
    curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
    if (!request->is_stream)
        curl_easy_setopt(x->easy, CURLOPT_ACCEPT_ENCODING, "");
    set_limits(x->easy, http, request->is_stream);
}

/* A write to a connection that the server has closed raises SIGPIPE, under TLS at least. The app is
 * to hear nothing of ours, and nothing it is waiting for may be swallowed. */
CURLcode http_perform(struct exchange *x)
{
    const struct timespec no_time = {0};
    sigset_t pipe, before, pending;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    CURLcode code = curl_easy_perform(x->easy);
    if (!sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe, NULL, &no_time);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

struct buf http_take(struct exchange *x)
{
    struct buf taken = x->reply;

    x->reply = BUF(HTTP_REPLY_BYTES);
    if (x->paused) {
        x->paused = false;
        curl_easy_pause(x->easy, CURLPAUSE_CONT); /* may write at once */
    }
    return taken;
}

bool http_is_stream(const struct exchange *x)
{
    static const char stream[] = "text/event-stream";
    const char *type = NULL;
    long status = 0;

    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->easy, CURLINFO_CONTENT_TYPE, &type);
    return status == 200 && type && strncmp(type, stream, sizeof(stream) - 1) == 0;
}

/* ---- what an answer means ---- */

static const struct {
    const char *code;
    enum duet_error error;
} meanings[] = {
    {"invalid_request", DUET_INVALID},
    {"malformed_json", DUET_INVALID},
    {"malformed_request", DUET_INVALID},
    {"body_too_large", DUET_TOO_LARGE},
    {"unauthenticated", DUET_UNAUTHENTICATED},
    {"blocked_by_recipient", DUET_BLOCKED},
    {"not_friends", DUET_NOT_FRIENDS},
    {"sender_muted", DUET_MUTED},
    {"user_unknown", DUET_UNKNOWN},
    {"message_unknown", DUET_UNKNOWN},
    {"friend_request_unknown", DUET_UNKNOWN},
    {"device_unknown", DUET_UNKNOWN},
    {"recall_too_late", DUET_TOO_LATE},
};

static enum duet_error meaning_of(const char *code)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (strcmp(code, meanings[i].code) == 0)
            return meanings[i].error;
    return DUET_REFUSED;
}

/* A problem that is worth trying again is none of this request. What is no problem document does
 * not come from Duet but from something before it: it has decided nothing. */
static void read_problem(struct answer *answer)
{
    const char *code = json_string_value(json_object_get(answer->json, "code"));

    answer->error = DUET_PROTOCOL;
    if (!code || !json_is_boolean(json_object_get(answer->json, "retryable")))
        return;
    snprintf(answer->code, sizeof(answer->code), "%s", code);
    answer->error = DUET_BUSY;
    long long status = json_integer_value(json_object_get(answer->json, "status"));
    if (status < 500 && !json_is_true(json_object_get(answer->json, "retryable"))) {
        answer->error = meaning_of(code);
        answer->decided = answer->error != DUET_UNAUTHENTICATED;
    }
}

struct answer http_finish(struct exchange *x, CURLcode code)
{
    struct answer answer = {0};
    long status = 0;
    curl_off_t retry_after_s = 0;

    if (code != CURLE_OK) {
        bool rubbish = x->reply.failed || code == CURLE_WEIRD_SERVER_REPLY ||
                       code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_UNSUPPORTED_PROTOCOL ||
                       code == CURLE_HTTP2;
        answer.error = rubbish ? DUET_PROTOCOL : DUET_UNREACHABLE;
        return answer;
    }
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    answer.retry_after_us = retry_after_s * USEC_PER_SEC;
    struct text body = buf_as_text(&x->reply);
    answer.json = body.len ? json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool is_good =
        status == 204 || ((status == 200 || status == 201) && json_is_object(answer.json));
    if (is_good)
        answer.decided = true;
    else
        read_problem(&answer);
    return answer;
}

const char *answer_reason(const struct answer *answer)
{
    const json_t *field = json_array_get(json_object_get(answer->json, "errors"), 0);
    const char *of_field = json_string_value(json_object_get(field, "detail"));
    const char *detail = json_string_value(json_object_get(answer->json, "detail"));
    const char *title = json_string_value(json_object_get(answer->json, "title"));

    return detail ? detail : of_field ? of_field : title ? title : "";
}

void answer_done(struct answer *answer)
{
    json_decref(answer->json);
    answer->json = NULL;
}

void exchange_done(struct exchange *x)
{
    curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->headers);
    buf_done(&x->reply);
    *x = (struct exchange){0};
}
