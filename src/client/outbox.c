/* Sending what waits in the outbox: one message to a peer at a time, so that their order stays, and
 * to a few peers at once. */
#include <string.h>

#include "base/clock.h"
#include "client/session.h"

static void tell_sent(
    struct duet *d,
    const struct outbox_row *row,
    const struct duet_message *m,
    enum duet_error error)
{
    struct duet_event event = {
        .kind = m ? DUET_EVENT_SENT : DUET_EVENT_SEND_REFUSED,
        .name = m ? "sent" : "send_refused",
        .at = clock_now_us() / 1000,
        .peer = row->peer,
        .message_id = m ? m->id : "",
        .message = m,
        .client_id = row->client_id,
        .error = error,
    };

    if (d->callbacks.on_event)
        d->callbacks.on_event(d->app, &event);
}

static enum duet_error take_sent(struct duet *d, struct transfer *t, const json_t *json)
{
    struct duet_message m;

    if (!wire_message(t->arena, d->user, json, &m))
        return DUET_PROTOCOL;
    enum duet_error error = store_outbox_sent(d->store, t->row.n, m.id, wire_text(t->arena, json));
    if (!error)
        tell_sent(d, &t->row, &m, DUET_OK);
    return error;
}

static enum duet_error take_refused(struct duet *d, struct transfer *t, enum duet_error why)
{
    enum duet_error error = store_outbox_remove(d->store, t->row.n);

    if (!error)
        tell_sent(d, &t->row, NULL, why);
    return error;
}

static void send_done(struct duet *d, struct transfer *t, struct answer *answer)
{
    struct session *s = &d->session;
    enum duet_error error = answer->error;

    if (!error)
        error = take_sent(d, t, answer->json);
    else if (answer->decided)
        error = take_refused(d, t, error);
    if (!error)
        backoff_reset(&s->send_backoff);
    else if (error == DUET_UNAUTHENTICATED)
        session_lose(d, error, 0);
    else
        s->send_us = clock_mono_us() +
                     backoff_next_us(&s->send_backoff, random_bits(), answer->retry_after_us);
}

static size_t peers_at_work(const struct session *s, const char **ret)
{
    size_t n = 0;

    for (size_t i = 0; i < SENDS_AT_ONCE; i++)
        if (s->sends[i].busy)
            ret[n++] = s->sends[i].row.peer;
    return n;
}

/* False when there is nothing to send. */
static bool send_next(struct duet *d, struct transfer *t)
{
    const char *peers[SENDS_AT_ONCE];
    size_t n = peers_at_work(&d->session, peers);

    arena_free(t->arena);
    t->arena = arena_new();
    if (!store_outbox_next(d->store, peers, n, t->arena, &t->row))
        return false;
    session_start(
        d, t,
        &(struct http_request){
            .method = "POST", .path = TEXT("/v1/messages"), .body = text_of(t->row.body)},
        send_done);
    return true;
}

void outbox_step(struct duet *d, int64_t now_us)
{
    struct session *s = &d->session;

    if ((s->stage != STAGE_CATCHING_UP && s->stage != STAGE_FOLLOWING) || now_us < s->send_us)
        return;
    for (size_t i = 0; i < SENDS_AT_ONCE; i++)
        if (!s->sends[i].busy && !send_next(d, &s->sends[i]))
            return;
}
