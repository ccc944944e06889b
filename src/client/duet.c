/* The calls of a session: login and logout, sending, and what asks the server for one thing. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "client/session.h"

#define TIMEOUT_MS 30000
#define USER_ID_BYTES 64
#define TOKEN_BYTES (16 * 1024)
#define MESSAGE_BYTES (64 * 1024)

static const struct {
    enum duet_error error;
    const char *text;
} texts[] = {
    {DUET_OK, "It is done."},
    {DUET_INVALID, "An argument is wrong."},
    {DUET_TOO_LARGE, "It is longer than is allowed."},
    {DUET_UNREACHABLE, "The server cannot be reached."},
    {DUET_BUSY, "The server cannot do it at the moment."},
    {DUET_PROTOCOL, "What answered is not understood."},
    {DUET_UNAUTHENTICATED, "The token is not accepted."},
    {DUET_KICKED, "The session was ended from elsewhere."},
    {DUET_BLOCKED, "The receiver has blocked the user."},
    {DUET_NOT_FRIENDS, "Only friends may write to each other."},
    {DUET_MUTED, "The user may not send for now."},
    {DUET_UNKNOWN, "There is no such user or message."},
    {DUET_TOO_LATE, "The message is too old for this."},
    {DUET_REFUSED, "The server refuses it."},
    {DUET_STORE, "The store cannot be read or written."},
    {DUET_STORE_IN_USE, "The store is open elsewhere."},
    {DUET_STORE_OTHER, "The store belongs to another user or device."},
};

const char *duet_error_text(enum duet_error error)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].error == error)
            return texts[i].text;
    return "An unknown error.";
}

const char *duet_version(void)
{
    return DUET_VERSION;
}

/* ---- login, logout ---- */

static bool is_id(const char *s)
{
    struct text t = text_of(s);

    return s && t.len >= 1 && t.len <= USER_ID_BYTES && text_is_utf8(t) && !text_has_control(t);
}

/* Letters alone: it is put into JSON as it is. */
static bool is_platform(const char *s)
{
    return s && *s && strspn(s, "abcdefghijklmnopqrstuvwxyz") == strlen(s);
}

static bool is_token(const char *s)
{
    return s && *s && strlen(s) <= TOKEN_BYTES && !text_has_control(text_of(s));
}

static bool is_server(const char *s)
{
    return s && (strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0) &&
           !text_has_control(text_of(s));
}

static bool are_options(const struct duet_options *o)
{
    return o && is_server(o->server) && is_id(o->user) && is_id(o->device) &&
           is_platform(o->platform) && is_token(o->token) && o->path && *o->path &&
           o->timeout_ms >= 0;
}

static char *copy(const char *s)
{
    size_t size = strlen(s) + 1;

    return memcpy(mem_alloc(size), s, size);
}

static struct text without_slash(const char *server)
{
    struct text t = text_of(server);

    while (t.len && t.ptr[t.len - 1] == '/')
        t.len--;
    return t;
}

static struct duet *make(const struct duet_options *o)
{
    struct duet *d = mem_alloc(sizeof(*d));

    d->fixed = arena_new();
    d->http.server = arena_text(d->fixed, without_slash(o->server)).ptr;
    d->http.ca_file = o->ca_file ? arena_text(d->fixed, text_of(o->ca_file)).ptr : NULL;
    d->http.timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_MS;
    d->user = arena_text(d->fixed, text_of(o->user)).ptr;
    d->device = arena_text(d->fixed, text_of(o->device)).ptr;
    d->platform = arena_text(d->fixed, text_of(o->platform)).ptr;
    d->token = copy(o->token);
    pthread_mutex_init(&d->mutex, NULL);
    return d;
}

static void unmake(struct duet *d)
{
    store_close(d->store);
    exchange_done(&d->spare);
    curl_multi_cleanup(d->multi);
    pthread_mutex_destroy(&d->mutex);
    free(d->token);
    arena_free(d->fixed);
    free(d);
}

/* Signals are the app's: none is taken by this thread. */
static bool start_thread(struct duet *d)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&d->thread, NULL, session_run, d) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

enum duet_error duet_login(
    const struct duet_options *options,
    const struct duet_callbacks *callbacks,
    void *user,
    struct duet **ret)
{
    if (!are_options(options) || !ret || !http_start())
        return DUET_INVALID;
    struct duet *d = make(options);
    d->callbacks = callbacks ? *callbacks : (struct duet_callbacks){0};
    d->app = user;
    d->multi = curl_multi_init();
    enum duet_error error = store_open(options->path, d->user, d->device, &d->store);
    if (error) {
        unmake(d);
        return error;
    }
    *ret = d; /* before the thread, which may call back at once */
    if (start_thread(d))
        return DUET_OK;
    *ret = NULL;
    unmake(d);
    return DUET_INVALID;
}

enum duet_error duet_logout(struct duet *d)
{
    if (!d)
        return DUET_OK;
    if (pthread_equal(pthread_self(), d->thread))
        return DUET_INVALID;
    pthread_mutex_lock(&d->mutex);
    d->stopping = true;
    pthread_mutex_unlock(&d->mutex);
    curl_multi_wakeup(d->multi);
    pthread_join(d->thread, NULL);
    unmake(d);
    return DUET_OK;
}

enum duet_error duet_set_token(struct duet *d, const char *token)
{
    if (!is_token(token))
        return DUET_INVALID;
    char *taken = copy(token);
    pthread_mutex_lock(&d->mutex);
    char *old = d->token;
    d->token = taken;
    d->token_no++;
    pthread_mutex_unlock(&d->mutex);
    free(old);
    curl_multi_wakeup(d->multi);
    return DUET_OK;
}

char *duet_token(struct duet *d, int64_t *ret_no)
{
    pthread_mutex_lock(&d->mutex);
    char *token = copy(d->token);
    if (ret_no)
        *ret_no = d->token_no;
    pthread_mutex_unlock(&d->mutex);
    return token;
}

enum duet_error duet_refusal(struct duet *d, char ret[DUET_REFUSAL_SIZE])
{
    pthread_mutex_lock(&d->mutex);
    memcpy(ret, d->refusal, sizeof(d->refusal));
    pthread_mutex_unlock(&d->mutex);
    return DUET_OK;
}

/* ---- asking ---- */

void path_of_user(struct duet *d, struct buf *ret)
{
    buf_printf(ret, "/v1/users/");
    http_add_escaped(ret, d->user);
}

/* A handle that has its connection already, if another call does not use it at this moment. */
static struct exchange take_spare(struct duet *d, enum duet_error *ret_ended)
{
    pthread_mutex_lock(&d->mutex);
    struct exchange x = d->spare;
    d->spare = (struct exchange){0};
    *ret_ended = d->ended;
    pthread_mutex_unlock(&d->mutex);
    return x;
}

static void give_spare(struct duet *d, struct exchange x)
{
    pthread_mutex_lock(&d->mutex);
    struct exchange other = d->spare;
    d->spare = x;
    pthread_mutex_unlock(&d->mutex);
    exchange_done(&other);
}

static struct answer ask_once(struct duet *d, struct http_request request)
{
    mem_auto char *token = duet_token(d, NULL);
    struct answer answer = {0};
    struct exchange x = take_spare(d, &answer.error);

    if (!answer.error) {
        request.token = text_of(token);
        http_prepare(&x, &d->http, &request);
        answer = http_finish(&x, http_perform(&x));
    }
    give_spare(d, x);
    return answer;
}

/* A server that says when it will have time is asked again then, if the caller would wait so long
 * for an answer. */
static bool wait_until_asked_again(const struct answer *answer, int64_t deadline_us)
{
    int64_t wait_us = answer->retry_after_us;

    if (answer->error != DUET_BUSY || wait_us <= 0 || clock_mono_us() + wait_us >= deadline_us)
        return false;
    struct timespec wait = {.tv_sec = wait_us / USEC_PER_SEC};
    nanosleep(&wait, NULL);
    return true;
}

struct answer duet_ask(struct duet *d, const char *method, const struct buf *path, json_t *body)
{
    json_auto_t *owned = body;
    buf_auto text = BUF(MESSAGE_BYTES);
    int64_t deadline_us = clock_mono_us() + d->http.timeout_ms * 1000;

    if (body)
        json_write_tree(&text, owned);
    if (text.failed)
        return (struct answer){.error = DUET_TOO_LARGE};
    struct http_request request = {
        .method = method,
        .path = buf_as_text(path),
        .body = body ? buf_as_text(&text) : TEXT_ABSENT,
    };
    struct answer answer = ask_once(d, request);
    while (wait_until_asked_again(&answer, deadline_us)) {
        answer_done(&answer);
        answer = ask_once(d, request);
    }
    return answer;
}

/* Where the answer itself does not matter. */
static enum duet_error ask_only(
    struct duet *d, const char *method, const struct buf *path, json_t *body)
{
    answer_auto answer = duet_ask(d, method, path, body);

    return answer.error;
}

/* ---- messages ---- */

static bool is_message_id(const char *s)
{
    return s && *s && strlen(s) <= USER_ID_BYTES;
}

static void make_client_id(char ret[DUET_CLIENT_ID_SIZE])
{
    for (size_t i = 0; i + 1 < DUET_CLIENT_ID_SIZE; i += 8)
        snprintf(ret + i, 9, "%08x", (unsigned)random_bits());
}

enum duet_error duet_send(
    struct duet *d, const struct duet_outgoing *message, char ret_client_id[DUET_CLIENT_ID_SIZE])
{
    buf_auto body = BUF(MESSAGE_BYTES);
    char client_id[DUET_CLIENT_ID_SIZE];

    if (!message || !is_id(message->to) || !message->text == !message->elements_json)
        return DUET_INVALID;
    make_client_id(client_id);
    if (!wire_outgoing(&body, d->user, client_id, message))
        return body.failed ? DUET_TOO_LARGE : DUET_INVALID;
    buf_char(&body, '\0');
    enum duet_error error = store_outbox_add(d->store, client_id, message->to, body.ptr);
    if (error)
        return error;
    if (ret_client_id)
        memcpy(ret_client_id, client_id, sizeof(client_id));
    curl_multi_wakeup(d->multi);
    return DUET_OK;
}

enum duet_error duet_recall(struct duet *d, const char *message_id)
{
    buf_auto path = BUF(1024);

    if (!is_message_id(message_id))
        return DUET_INVALID;
    buf_printf(&path, "/v1/messages/");
    http_add_escaped(&path, message_id);
    return ask_only(d, "DELETE", &path, NULL);
}

/* ---- conversations ---- */

static void path_of_conversations(struct duet *d, struct buf *ret)
{
    path_of_user(d, ret);
    buf_printf(ret, "/conversations");
}

enum duet_error duet_mark_read(struct duet *d, const char *peer, const char *message_id)
{
    buf_auto path = BUF(1024);

    if (!is_id(peer) || !is_message_id(message_id))
        return DUET_INVALID;
    path_of_conversations(d, &path);
    buf_char(&path, '/');
    http_add_escaped(&path, peer);
    buf_printf(&path, "/read");
    return ask_only(d, "PUT", &path, json_pack("{s:s}", "up_to", message_id));
}

enum duet_error duet_conversations(struct duet *d, struct duet_conversations **ret)
{
    buf_auto path = BUF(1024);

    path_of_conversations(d, &path);
    answer_auto answer = duet_ask(d, "GET", &path, NULL);
    enum duet_error why = answer.error;
    if (!why)
        why = store_take_conversations(d->store, json_object_get(answer.json, "items"));
    struct arena *arena = arena_new();
    struct conversation_list *list = arena_alloc(arena, sizeof(*list));
    list->arena = arena;
    list->list.fresh = why == DUET_OK;
    list->list.why = why;
    enum duet_error error = store_read_conversations(d->store, list);
    if (error)
        arena_free(arena);
    else
        *ret = &list->list;
    return error;
}

void duet_conversations_free(struct duet_conversations *conversations)
{
    if (conversations)
        arena_free(((struct conversation_list *)conversations)->arena);
}
