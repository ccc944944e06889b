#include "client/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/memory.h"

#define REPORT_AFTER_US USEC_PER_SEC /* what comes together is reported together */
#define LOOK_AGAIN_MS 1000

uint32_t random_bits(void)
{
    uint32_t bits = 0;

    if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
        bits = (uint32_t)clock_mono_us();
    return bits;
}

/* ---- transfers ---- */

void session_start(
    struct duet *d,
    struct transfer *t,
    const struct http_request *request,
    void (*done)(struct duet *d, struct transfer *t, struct answer *answer))
{
    mem_auto char *token = duet_token(d, &t->token_no);
    struct http_request signed_request = *request;

    signed_request.token = text_of(token);
    http_prepare(&t->x, &d->http, &signed_request);
    curl_easy_setopt(t->x.easy, CURLOPT_PRIVATE, t);
    t->done = done;
    t->busy = true;
    curl_multi_add_handle(d->multi, t->x.easy);
}

static void stop_transfer(struct duet *d, struct transfer *t)
{
    if (!t->busy)
        return;
    curl_multi_remove_handle(d->multi, t->x.easy);
    t->busy = false;
}

static int64_t token_no(struct duet *d)
{
    pthread_mutex_lock(&d->mutex);
    int64_t no = d->token_no;
    pthread_mutex_unlock(&d->mutex);
    return no;
}

/* The refusal of a token that was replaced meanwhile says nothing of the present one. */
static void forgive_old_token(struct duet *d, const struct transfer *t, struct answer *answer)
{
    if (answer->error == DUET_UNAUTHENTICATED && t->token_no != token_no(d))
        answer->error = DUET_BUSY;
}

static void finish_transfer(struct duet *d, struct transfer *t, CURLcode code)
{
    answer_auto answer = http_finish(&t->x, code);

    forgive_old_token(d, t, &answer);
    stop_transfer(d, t);
    t->done(d, t, &answer);
}

static void finish_transfers(struct duet *d)
{
    int n_left;
    CURLMsg *message;
    struct transfer *t;

    while ((message = curl_multi_info_read(d->multi, &n_left))) {
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        finish_transfer(d, t, code);
    }
}

/* ---- telling the app ---- */

static void tell_connection(struct duet *d, enum duet_connection state, enum duet_error why)
{
    if (d->callbacks.on_connection)
        d->callbacks.on_connection(d->app, state, why);
}

static void tell_message(struct duet *d, const struct duet_message *m, enum duet_source source)
{
    if (d->callbacks.on_new_message)
        d->callbacks.on_new_message(d->app, m, source);
}

static void tell_entry(struct duet *d, const struct entry *e)
{
    bool offline = d->session.stage == STAGE_CATCHING_UP;

    if (e->is_message)
        tell_message(d, e->event.message, offline ? DUET_OFFLINE : DUET_ONLINE);
    else if (d->callbacks.on_event)
        d->callbacks.on_event(d->app, &e->event);
}

/* ---- losing the connection ---- */

static void close_stream(struct duet *d)
{
    stop_transfer(d, &d->session.stream);
    stop_transfer(d, &d->session.request);
    sse_done(&d->session.sse);
}

static void sign_out(struct duet *d, enum duet_error why, int64_t refused_token)
{
    struct session *s = &d->session;

    s->stage = STAGE_SIGNED_OUT;
    s->refused_token = refused_token;
    s->logged_in = false;
    tell_connection(d, DUET_SIGNED_OUT, why);
}

void session_lose(struct duet *d, enum duet_error why, int64_t retry_after_us)
{
    struct session *s = &d->session;

    if (s->stage == STAGE_ENDED || s->stage == STAGE_SIGNED_OUT)
        return;
    close_stream(d);
    if (why == DUET_UNAUTHENTICATED) {
        sign_out(d, why, token_no(d));
        return;
    }
    s->stage = STAGE_WAITING;
    s->next_us = clock_mono_us() + backoff_next_us(&s->backoff, random_bits(), retry_after_us);
    tell_connection(d, DUET_DISCONNECTED, why);
}

static void end_session(struct duet *d, const char *reason)
{
    struct session *s = &d->session;

    close_stream(d);
    stop_transfer(d, &s->report);
    for (size_t i = 0; i < SENDS_AT_ONCE; i++)
        stop_transfer(d, &s->sends[i]);
    s->stage = STAGE_ENDED;
    pthread_mutex_lock(&d->mutex);
    d->ended = DUET_KICKED;
    pthread_mutex_unlock(&d->mutex);
    if (d->callbacks.on_kicked)
        d->callbacks.on_kicked(d->app, reason);
}

static void lose_by_answer(struct duet *d, const struct answer *answer)
{
    if (strcmp(answer->code, "device_kicked") == 0)
        end_session(d, "kicked");
    else
        session_lose(d, answer->error ? answer->error : DUET_UNREACHABLE, answer->retry_after_us);
}

/* ---- the stream: what comes ---- */

static void open_stream(struct duet *d);

static void report_soon(struct session *s)
{
    if (!s->report_us)
        s->report_us = clock_mono_us() + REPORT_AFTER_US;
}

/* The stream has lost something: it is opened once more where the store ends, and tells then what
 * is really left out. */
static bool is_gap(struct duet *d, const struct entry *e)
{
    struct session *s = &d->session;
    int64_t position = store_position(d->store);

    return s->stage == STAGE_FOLLOWING && e->seq != position + 1 && s->repaired_at != position;
}

static void reopen_stream(struct duet *d)
{
    close_stream(d);
    open_stream(d);
}

/* One that is found behind a login ended an earlier session: this one was let in after it. */
static bool is_end_of_session(const struct duet *d, const struct entry *e)
{
    return strcmp(e->event.name, "kicked") == 0 && !d->session.fresh &&
           (!e->kicked_device[0] || strcmp(e->kicked_device, d->device) == 0);
}

static void take_entry(struct duet *d, const struct entry *e)
{
    struct session *s = &d->session;

    if (e->seq <= store_position(d->store))
        return;
    if (is_gap(d, e)) {
        s->repaired_at = store_position(d->store);
        reopen_stream(d);
        return;
    }
    enum duet_error error = store_take(d->store, e);
    if (error) {
        session_lose(d, error, 0);
        return;
    }
    report_soon(s);
    tell_entry(d, e);
    if (is_end_of_session(d, e))
        end_session(d, e->kicked_reason);
}

static void ask_recent_contacts(struct duet *d);

/* Moves the position to what the server says is the end. False when the stream has ended over it.
 */
static bool take_last_seq(struct duet *d, int64_t last_seq)
{
    struct session *s = &d->session;
    bool has_gone_back =
        last_seq < s->opened_at; /* the server's database is an old copy of itself */

    if (last_seq <= store_position(d->store) && !has_gone_back)
        return true;
    enum duet_error error = store_jump(d->store, last_seq);
    if (error) {
        session_lose(d, error, 0);
        return false;
    }
    report_soon(s);
    if (has_gone_back)
        reopen_stream(d);
    return !has_gone_back;
}

/* All up to there has been told; all that was missed, if there is no more. */
static void take_sync(struct duet *d, const json_t *json)
{
    struct session *s = &d->session;
    const json_t *last_seq = json_object_get(json, "last_seq");

    if (!json_is_integer(last_seq) || json_integer_value(last_seq) < 0) {
        session_lose(d, DUET_PROTOCOL, 0);
        return;
    }
    if (!take_last_seq(d, json_integer_value(last_seq)) ||
        json_is_true(json_object_get(json, "more")))
        return;
    bool was_following = s->stage == STAGE_FOLLOWING;
    s->stage = STAGE_FOLLOWING;
    s->fresh = false;
    backoff_reset(&s->backoff);
    if (!was_following)
        tell_connection(d, DUET_CONNECTED, DUET_OK);
    if (!s->refreshed && !s->request.busy)
        ask_recent_contacts(d);
}

static void take_event(struct duet *d, const struct sse_event *event)
{
    /* The end comes next; whether the token is still good is learned when it is used again. */
    if (text_equal(event->name, TEXT("closed")))
        return;
    json_auto_t *json = json_loadb(event->data.ptr, event->data.len, JSON_REJECT_DUPLICATES, NULL);
    struct arena *arena = arena_new();
    struct entry entry;

    if (text_equal(event->name, TEXT("sync")) && json_is_object(json))
        take_sync(d, json);
    else if (wire_entry(arena, d->user, json, &entry))
        take_entry(d, &entry);
    else
        session_lose(d, DUET_PROTOCOL, 0);
    arena_free(arena);
}

static void read_stream(struct duet *d)
{
    struct session *s = &d->session;
    struct sse_event event;

    if (!s->stream.busy || s->stream.x.reply.len == 0 || !http_is_stream(&s->stream.x))
        return;
    buf_auto bytes = http_take(&s->stream.x);
    struct text rest = buf_as_text(&bytes);
    while (s->stream.busy && sse_next(&s->sse, &rest, &event)) {
        size_t n_opened = s->n_opened;
        take_event(d, &event);
        if (s->n_opened != n_opened)
            return; /* what is left is of a stream that was given up */
    }
    if (s->stream.busy && sse_failed(&s->sse))
        session_lose(d, DUET_PROTOCOL, 0);
}

/* ---- the stream: opening ---- */

static void stream_done(struct duet *d, struct transfer *t, struct answer *answer)
{
    if (strcmp(answer->code, "device_unknown") == 0)
        d->session.logged_in = false;
    if (http_is_stream(&t->x)) /* it has ended, and that is all */
        session_lose(d, DUET_UNREACHABLE, 0);
    else
        lose_by_answer(d, answer);
}

static void open_stream(struct duet *d)
{
    struct session *s = &d->session;
    buf_auto path = BUF(1024);

    path_of_user(d, &path);
    buf_printf(&path, "/events?device=");
    http_add_escaped(&path, d->device);
    s->opened_at = store_position(d->store);
    buf_printf(&path, "&after=%lld", (long long)s->opened_at);
    sse_done(&s->sse);
    sse_init(&s->sse);
    s->n_opened++;
    s->stage = STAGE_CATCHING_UP;
    session_start(
        d, &s->stream,
        &(struct http_request){.method = "GET", .path = buf_as_text(&path), .is_stream = true},
        stream_done);
}

/* ---- logging in ---- */

static void note_refusal(struct duet *d, const char *reason)
{
    pthread_mutex_lock(&d->mutex);
    snprintf(d->refusal, sizeof(d->refusal), "%s", reason);
    d->refusal[text_whole_characters(text_of(d->refusal)).len] = '\0';
    pthread_mutex_unlock(&d->mutex);
}

/* What is decided would be answered alike the next time, as long as the token is the same. */
static bool is_refused(const struct answer *answer)
{
    return answer->error == DUET_UNAUTHENTICATED ||
           (answer->error && answer->decided && strcmp(answer->code, "device_kicked") != 0);
}

/* The store knows best what it has; the server's position of the device may be older, by reports
 * that were lost, or newer, where the store is an old copy of itself. A new store has nothing, and
 * begins where the device was. */
static void login_done(struct duet *d, struct transfer *t, struct answer *answer)
{
    struct session *s = &d->session;
    const json_t *position = json_object_get(answer->json, "position");
    bool refused = is_refused(answer);

    note_refusal(d, refused ? answer_reason(answer) : "");
    if (refused) {
        sign_out(d, answer->error, t->token_no);
        return;
    }
    if (!answer->error && !json_is_integer(position))
        answer->error = DUET_PROTOCOL;
    if (!answer->error && store_position(d->store) < 0)
        answer->error = store_jump(d->store, json_integer_value(position));
    if (answer->error) {
        lose_by_answer(d, answer);
        return;
    }
    s->logged_in = true;
    s->fresh = true;
    s->reported = json_integer_value(position);
    report_soon(s);
    open_stream(d);
}

static void log_in(struct duet *d)
{
    buf_auto path = BUF(1024);
    buf_auto body = BUF(1024);

    path_of_user(d, &path);
    buf_printf(&path, "/devices/");
    http_add_escaped(&path, d->device);
    buf_printf(&body, "{\"platform\":\"%s\"}", d->platform);
    d->session.stage = STAGE_LOGIN;
    session_start(
        d, &d->session.request,
        &(struct http_request){
            .method = "PUT", .path = buf_as_text(&path), .body = buf_as_text(&body)},
        login_done);
}

static void connect_now(struct duet *d)
{
    struct session *s = &d->session;

    tell_connection(d, DUET_CONNECTING, DUET_OK);
    s->repaired_at = -1;
    if (s->logged_in)
        open_stream(d);
    else
        log_in(d);
}

/* ---- recent contacts ---- */

static void tell_recent_contacts(struct duet *d)
{
    struct conversation_list recent = {.arena = arena_new()};

    if (store_read_conversations(d->store, &recent) == DUET_OK)
        for (size_t i = 0; i < recent.list.n; i++)
            if (recent.list.items[i].last_message)
                tell_message(d, recent.list.items[i].last_message, DUET_RECENT);
    arena_free(recent.arena);
}

static void recent_contacts_done(struct duet *d, struct transfer *t, struct answer *answer)
{
    (void)t;
    if (!answer->error)
        answer->error = store_take_conversations(d->store, json_object_get(answer->json, "items"));
    if (answer->error) {
        lose_by_answer(d, answer);
        return;
    }
    tell_recent_contacts(d);
    d->session.refreshed = true;
    if (d->callbacks.on_refresh)
        d->callbacks.on_refresh(d->app);
}

static void ask_recent_contacts(struct duet *d)
{
    buf_auto path = BUF(1024);

    path_of_user(d, &path);
    buf_printf(&path, "/conversations");
    session_start(
        d, &d->session.request, &(struct http_request){.method = "GET", .path = buf_as_text(&path)},
        recent_contacts_done);
}

/* ---- reporting the position ---- */

static void report_done(struct duet *d, struct transfer *t, struct answer *answer)
{
    (void)t;
    /* It is no loss when it fails: the next one says the same and more. */
    if (answer->error == DUET_UNAUTHENTICATED)
        session_lose(d, answer->error, 0);
}

static void report(struct duet *d, int64_t position)
{
    buf_auto path = BUF(1024);
    char body[64];
    int length = snprintf(body, sizeof(body), "{\"seq\":%lld}", (long long)position);

    path_of_user(d, &path);
    buf_printf(&path, "/devices/");
    http_add_escaped(&path, d->device);
    buf_printf(&path, "/position");
    d->session.reported = position;
    session_start(
        d, &d->session.report,
        &(struct http_request){
            .method = "PUT", .path = buf_as_text(&path), .body = {body, (size_t)length}},
        report_done);
}

static void report_step(struct duet *d, int64_t now_us)
{
    struct session *s = &d->session;

    if (s->stage != STAGE_FOLLOWING || !s->report_us || now_us < s->report_us || s->report.busy)
        return;
    s->report_us = 0;
    int64_t position = store_position(d->store);
    if (position != s->reported)
        report(d, position);
}

/* ---- the thread ---- */

static bool is_stopping(struct duet *d)
{
    pthread_mutex_lock(&d->mutex);
    bool stopping = d->stopping;
    pthread_mutex_unlock(&d->mutex);
    return stopping;
}

static void step(struct duet *d)
{
    struct session *s = &d->session;
    int64_t now_us = clock_mono_us();

    if (s->stage == STAGE_SIGNED_OUT && s->refused_token != token_no(d)) {
        s->stage = STAGE_WAITING;
        s->next_us = now_us;
    }
    if (s->stage == STAGE_WAITING && now_us >= s->next_us)
        connect_now(d);
    report_step(d, now_us);
    outbox_step(d, now_us);
}

/* Until something comes, somebody calls, or something is due. */
static void wait_for_work(struct duet *d)
{
    const struct session *s = &d->session;
    int64_t due_us = INT64_MAX;
    int64_t now_us = clock_mono_us();

    if (s->stage == STAGE_WAITING)
        due_us = s->next_us;
    if (s->send_us > now_us && s->send_us < due_us)
        due_us = s->send_us;
    if (s->report_us && s->report_us < due_us)
        due_us = s->report_us;
    int64_t wait_ms = due_us == INT64_MAX ? LOOK_AGAIN_MS : (due_us - now_us + 999) / 1000;
    wait_ms = wait_ms < 1 ? 1 : wait_ms > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : wait_ms;
    curl_multi_poll(d->multi, NULL, 0, (int)wait_ms, NULL);
}

static void release_transfer(struct duet *d, struct transfer *t)
{
    stop_transfer(d, t);
    exchange_done(&t->x);
    arena_free(t->arena);
}

static void release(struct duet *d)
{
    struct session *s = &d->session;

    release_transfer(d, &s->stream);
    release_transfer(d, &s->request);
    release_transfer(d, &s->report);
    for (size_t i = 0; i < SENDS_AT_ONCE; i++)
        release_transfer(d, &s->sends[i]);
    sse_done(&s->sse);
}

void *session_run(void *user)
{
    struct duet *d = user;
    int n_running;

    d->session.repaired_at = -1;
    while (!is_stopping(d)) {
        step(d);
        curl_multi_perform(d->multi, &n_running);
        read_stream(d);
        finish_transfers(d);
        wait_for_work(d);
    }
    release(d);
    return NULL;
}
