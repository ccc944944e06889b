/* The log of a mailbox, as devices follow it: page by page, by waiting for the next, or as a
 * stream. */
#include "ops/event.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/op.h"
#include "base/sse.h"
#include "ops/message.h"
#include "ops/services.h"

struct event {
    int64_t seq;
    struct text kind;
    int64_t at;
    struct message message;
    struct message_id message_id; /* where the message itself cannot be shown */
    struct text peer;
    struct text details; /* JSON */
};

static const char *const event_kinds[] = {
    "message",
    "message_edited",
    "message_recalled",
    "message_deleted",
    "read",
    "peer_read",
    "friend_added",
    "friend_changed",
    "friend_removed",
    "friend_requested",
    "friend_request_closed",
    "block_added",
    "block_removed",
    "profile",
    "conversation",
    "kicked",
    "notification",
    NULL};

static const struct field event_list_of_fields[] = {
    FIELD_INT(struct event, seq),
    FIELD_TEXT(struct event, kind, .one_of = event_kinds),
    FIELD_TIME(struct event, at),
    FIELD_OBJECT(struct event, message, struct message, .of = &message_fields, .omit_absent = true),
    FIELD_MESSAGE_ID(struct event, message_id, .column = "target", .omit_absent = true),
    FIELD_TEXT(struct event, peer, .omit_absent = true),
    FIELD_RAW(struct event, details, .omit_absent = true),
    FIELD_END,
};

static const struct fields event_fields = FIELDS(event_list_of_fields, struct event);

struct event_list {
    struct text user;
    int64_t after;
    int64_t limit;
    struct text device;
    int64_t wait;
    int64_t last_event_id;
    int64_t until;
    int64_t live_since;
    struct text as_user;
    struct text as_device;
    int64_t issued_at;
};

#define WAIT_SECONDS_MAX 60

static const struct field event_list_fields[] = {
    FIELD_USER(struct event_list),
    FIELD_INT(struct event_list, after, .from = IN_QUERY),
    FIELD_LIMIT(struct event_list),
    FIELD_TEXT(struct event_list, device, .from = IN_QUERY, .min = 1, .max = WATCH_DEVICE_BYTES),
    FIELD_INT(
        struct event_list,
        wait,
        .from = IN_QUERY,
        .max = WAIT_SECONDS_MAX,
        .has_fallback = true,
        .not_column = true),
    FIELD_INT(
        struct event_list,
        last_event_id,
        .from = IN_HEADER,
        .header = "Last-Event-ID",
        .not_column = true),
    /* Of one that waits or follows: when it began. The offline rules end there. */
    FIELD_INT(struct event_list, until, .from = IN_CHECK),
    FIELD_TIME(struct event_list, live_since, .from = IN_CHECK),
    FIELDS_OF_SESSION(struct event_list),
    FIELD_END,
};

struct event_page {
    struct list items;
    int64_t last_seq;
    int64_t skipped;
    int64_t reached;  /* up to where the mailbox has been looked at */
    int64_t left_out; /* how many up to there are not among the items */
    struct text offline_skipped;
};

static const struct field event_page_fields[] = {
    FIELD_LIST(struct event_page, items, .of = &event_fields),
    FIELD_INT(struct event_page, last_seq),
    FIELD_INT(struct event_page, skipped),
    FIELD_INT(struct event_page, reached, .from = IN_CHECK),
    FIELD_INT(struct event_page, left_out, .from = IN_CHECK),
    FIELD_TEXT(
        struct event_page,
        offline_skipped,
        .from = IN_HEADER,
        .header = "Duet-Skipped",
        .not_column = true),
    FIELD_END,
};

static int event_list_check(struct op *op)
{
    struct event_list *in = op->in;

    if (in->last_event_id != FIELD_ABSENT)
        in->after = in->last_event_id;
    in->last_event_id = FIELD_ABSENT; /* for the first page alone */
    return 0;
}

/* ---- what a request that waits and a stream have in common ---- */

static void copy_device(struct text device, char ret[WATCH_DEVICE_BYTES + 1])
{
    if (text_present(device))
        memcpy(ret, device.ptr, device.len);
    ret[device.len] = '\0';
}

static int open_watch(struct op *op, struct watch *watch)
{
    struct event_list *in = op->in;
    int64_t last_seq;

    copy_device(in->device, watch->device);
    copy_device(op->caller.device, watch->token_device);
    watch->of_user_token = caller_is_user(&op->caller);
    if (store_watch_open(op->services->store, op, in->user, watch, &last_seq) != 0)
        return -1;
    in->until = last_seq;
    in->live_since = watch->opened_at_us;
    return 0;
}

/* ---- pages ---- */

static void tell_left_out(struct op *op)
{
    const struct event_list *in = op->in;
    struct event_page *out = op->out;

    if (text_present(in->device) && out->left_out > 0)
        out->offline_skipped =
            text_of(arena_printf(op->arena, "%" PRId64 "; in=history", out->left_out));
}

struct event_wait {
    struct watch watch;
    struct op *op;
    int64_t skipped, left_out; /* by the looks so far, which found nothing to show */
};

/* Called when the request is in nobody else's hands. */
static void wake(struct watch *watch, bool over)
{
    struct event_wait *wait = (struct event_wait *)watch;
    struct op *op = wait->op;
    struct store *store = op->services->store;

    op->deadline_us = clock_mono_us() + op->services->settings->request_timeout_s * USEC_PER_SEC;
    if (!over && store_submit(store, op) == 0)
        return;
    store_watch_close(store, watch);
    op->done(op, over ? 0 : -1); /* nothing came: the answer is the page that was empty */
}

static int begin_wait(struct op *op)
{
    const struct event_list *in = op->in;
    struct event_wait *wait = arena_alloc(op->arena, sizeof(*wait));

    wait->op = op;
    wait->watch.wake = wake;
    wait->watch.until_us = clock_mono_us() + in->wait * USEC_PER_SEC;
    wait->watch.client_fd = op->client_fd;
    if (open_watch(op, &wait->watch) != 0)
        return -1;
    op->kept = wait;
    return 0;
}

static void end_wait(struct op *op)
{
    struct event_wait *wait = op->kept;

    if (wait)
        store_watch_close(op->services->store, &wait->watch);
}

/* What was looked at in vain is not looked at again, but counts. */
static void add_earlier_looks(struct op *op)
{
    struct event_list *in = op->in;
    struct event_page *out = op->out;
    struct event_wait *wait = op->kept;

    out->skipped += wait->skipped;
    out->left_out += wait->left_out;
    if (out->items.n_items)
        return;
    wait->skipped = out->skipped;
    wait->left_out = out->left_out;
    if (in->after == FIELD_ABSENT || in->after < out->reached)
        in->after = out->reached;
}

/* It looks, then opens the watch, then looks again: what is not there then the watch is told of.
 * Most find something at once, and cost one look. */
static int wait_for_events(struct op *op)
{
    struct store *store = op->services->store;
    const struct event_page *out = op->out;
    struct event_wait *wait = op->kept;

    if (wait)
        store_watch_again(store, &wait->watch);
    for (;; wait = op->kept) {
        if (store_call_rows(op) != 0) {
            end_wait(op);
            return -1;
        }
        if (wait)
            add_earlier_looks(op);
        tell_left_out(op);
        if (out->items.n_items || atomic_load(&op->services->stopping)) {
            end_wait(op);
            return 0;
        }
        if (!wait && begin_wait(op) != 0)
            return -1;
        /* Parked, the request may be answered by now. */
        if (wait && store_watch_park(store, &wait->watch))
            return OP_WAITS;
    }
}

/* ---- streams ---- */

/* Of the reply's first bytes: how soon a client that lost its stream shall come back. */
#define RETRY "retry: 2000\n\n"
#define PAGE_BYTES_MAX (16u << 20)

/* A session that has ended ends the stream of its device, or of its token; when all have, all that
 * are not a back-end service's. */
static enum err_code end_of_session(const struct watch *watch, const void *record)
{
    const struct event *event = record;

    if (!text_equal(event->kind, TEXT("kicked")))
        return ERR_NONE;
    json_t *details = json_loadb(event->details.ptr, event->details.len, 0, NULL);
    const char *device = json_string_value(json_object_get(details, "device"));
    bool is_own = device && strcmp(watch->device, device) == 0;
    bool voids_token = device ? strcmp(watch->token_device, device) == 0 : watch->of_user_token;
    json_decref(details);
    if (is_own)
        return ERR_DEVICE_KICKED;
    return voids_token ? ERR_UNAUTHENTICATED : ERR_NONE;
}

static int write_page(struct op *op, bool first)
{
    const struct event_page *out = op->out;
    const struct event *events = out->items.items;
    struct buf text = BUF(PAGE_BYTES_MAX);

    if (first)
        buf_text(&text, TEXT(RETRY));
    for (size_t i = 0; i < out->items.n_items; i++)
        sse_write_record(&text, &event_fields, &events[i]);
    if (out->left_out > 0 || !op->more)
        sse_write_sync(&text, out->reached, out->left_out, op->more);
    arena_defer(op->arena, free, text.ptr);
    op->raw = buf_as_text(&text);
    return text.failed ? err_set(op->err, ERR_INTERNAL, "the events are too long") : 0;
}

/* Pages up to the end of the mailbox; what comes after it, the watch is told of. */
static int follow(struct op *op)
{
    struct event_list *in = op->in;
    const struct event_page *out = op->out;
    struct watch *watch = op->watch;
    bool first = !watch->owner;

    watch->ends = end_of_session;
    if (first && open_watch(op, watch) != 0)
        return -1;
    watch->read_at_us = clock_now_us();
    if (store_call_rows(op) != 0)
        return -1;
    op->more = out->reached < out->last_seq;
    in->after = out->reached;
    watch->position = out->reached;
    return write_page(op, first);
}

void event_stream_park(struct services *services, struct watch *watch)
{
    store_watch_park(services->store, watch);
}

void event_stream_close(struct services *services, struct watch *watch)
{
    store_watch_close(services->store, watch);
}

/* ---- event_list ---- */

static int event_list_run(struct op *op)
{
    const struct event_list *in = op->in;

    if (op->watch)
        return follow(op);
    if (in->wait)
        return wait_for_events(op);
    if (store_call_rows(op) != 0)
        return -1;
    tell_left_out(op);
    return 0;
}

const struct operation event_list = {
    .name = "event_list",
    .lane = LANE_READER,
    .check = event_list_check,
    .run = event_list_run,
    .follows = true,
    .in = FIELDS(event_list_fields, struct event_list),
    .out = FIELDS(event_page_fields, struct event_page),
    .refuses =
        (const enum err_code[]){
            ERR_USER_UNKNOWN, ERR_DEVICE_UNKNOWN, ERR_DEVICE_KICKED, ERR_STREAMS_FULL, ERR_NONE},
};
