#include "store/hub.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"

#define BUCKETS_FIRST 256 /* a power of two */
#define LOOK_FOR_GONE_US INT64_C(1000000)

LIST_HEAD(bucket, watch);
TAILQ_HEAD(line, watch);

struct gone {
    int64_t owner, stream_id;
};

struct hub {
    pthread_mutex_t mutex;
    int fd;
    bool stopped;

    struct bucket *buckets; /* by owner; at least one for each watch */
    size_t n_buckets;
    size_t n_streams, n_waits;

    struct line by_age;         /* the one renewed longest ago first */
    struct line line;           /* streams that are IN_LINE */
    struct line reading;        /* streams that are READING */
    struct line parked;         /* requests that are IDLE */
    int64_t looked_for_gone_us; /* at their clients; monotonic */

    struct gone *gone;
    size_t n_gone, gone_room;
};

struct hub *hub_new(void)
{
    struct hub *hub = mem_alloc(sizeof(*hub));

    pthread_mutex_init(&hub->mutex, NULL);
    hub->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    hub->n_buckets = BUCKETS_FIRST;
    hub->buckets = mem_alloc(hub->n_buckets * sizeof(*hub->buckets));
    TAILQ_INIT(&hub->by_age);
    TAILQ_INIT(&hub->line);
    TAILQ_INIT(&hub->reading);
    TAILQ_INIT(&hub->parked);
    return hub;
}

void hub_free(struct hub *hub)
{
    if (!hub)
        return;
    close(hub->fd);
    free(hub->gone);
    free(hub->buckets);
    pthread_mutex_destroy(&hub->mutex);
    free(hub);
}

int hub_fd(const struct hub *hub)
{
    return hub->fd;
}

void hub_calm(struct hub *hub)
{
    eventfd_t count;

    eventfd_read(hub->fd, &count);
}

/* ---- the table; all of these under the mutex ---- */

/* Numbers of users follow each other; so do those of buckets. */
static struct bucket *bucket_of(struct hub *hub, int64_t owner)
{
    return &hub->buckets[(uint64_t)owner & (hub->n_buckets - 1)];
}

static void grow(struct hub *hub)
{
    struct watch *watch;

    if (hub->n_streams + hub->n_waits < hub->n_buckets)
        return;
    free(hub->buckets);
    hub->n_buckets *= 2;
    hub->buckets = mem_alloc(hub->n_buckets * sizeof(*hub->buckets));
    TAILQ_FOREACH(watch, &hub->by_age, by_age) {
        LIST_INSERT_HEAD(bucket_of(hub, watch->owner), watch, in_bucket);
    }
}

static size_t *count_of(struct hub *hub, const struct watch *watch)
{
    return watch->take ? &hub->n_streams : &hub->n_waits;
}

static bool is_known(const struct watch *watch)
{
    return watch->by_age.tqe_prev;
}

static void line_up(struct hub *hub, struct watch *watch)
{
    if (TAILQ_EMPTY(&hub->line))
        eventfd_write(hub->fd, 1);
    watch->state = WATCH_IN_LINE;
    TAILQ_INSERT_TAIL(&hub->line, watch, in_line);
}

static void take_out(struct hub *hub, struct watch *watch)
{
    if (watch->state == WATCH_IN_LINE)
        TAILQ_REMOVE(&hub->line, watch, in_line);
    if (watch->state == WATCH_READING)
        TAILQ_REMOVE(&hub->reading, watch, in_line);
    if (watch->state == WATCH_IDLE && !watch->take)
        TAILQ_REMOVE(&hub->parked, watch, in_line);
    LIST_REMOVE(watch, in_bucket);
    TAILQ_REMOVE(&hub->by_age, watch, by_age);
    watch->by_age.tqe_prev = NULL;
    (*count_of(hub, watch))--;
}

static void note_gone(struct hub *hub, const struct watch *watch)
{
    if (hub->n_gone == hub->gone_room) {
        hub->gone_room = hub->gone_room ? 2 * hub->gone_room : 64;
        hub->gone = mem_resize(hub->gone, hub->gone_room * sizeof(*hub->gone));
    }
    hub->gone[hub->n_gone++] = (struct gone){watch->owner, watch->stream_id};
}

/* ---- coming and going ---- */

void hub_add(struct hub *hub, struct watch *watch)
{
    pthread_mutex_lock(&hub->mutex);
    grow(hub);
    watch->state = WATCH_BUSY;
    watch->woken = false;
    LIST_INSERT_HEAD(bucket_of(hub, watch->owner), watch, in_bucket);
    TAILQ_INSERT_TAIL(&hub->by_age, watch, by_age);
    (*count_of(hub, watch))++;
    pthread_mutex_unlock(&hub->mutex);
}

static bool park_request(struct hub *hub, struct watch *watch)
{
    if (watch->woken || hub->stopped) {
        watch->woken = false;
        return false;
    }
    watch->state = WATCH_IDLE;
    TAILQ_INSERT_TAIL(&hub->parked, watch, in_line);
    return true;
}

static void park_stream(struct hub *hub, struct watch *watch)
{
    if (watch->woken)
        line_up(hub, watch);
    else
        watch->state = WATCH_IDLE;
}

bool hub_park(struct hub *hub, struct watch *watch)
{
    bool parked = true;

    pthread_mutex_lock(&hub->mutex);
    if (watch->take)
        park_stream(hub, watch);
    else
        parked = park_request(hub, watch);
    pthread_mutex_unlock(&hub->mutex);
    return parked;
}

void hub_remove(struct hub *hub, struct watch *watch)
{
    pthread_mutex_lock(&hub->mutex);
    if (is_known(watch))
        take_out(hub, watch);
    note_gone(hub, watch);
    pthread_mutex_unlock(&hub->mutex);
}

/* ---- waking ---- */

/* Requests are taken out and told later, when the mutex is free: to be told may end them. */
static void wake(struct hub *hub, struct watch *watch, struct line *ret_told)
{
    switch (watch->state) {
    case WATCH_BUSY:
    case WATCH_READING:
        watch->woken = true;
        return;
    case WATCH_IDLE:
        if (watch->take) {
            line_up(hub, watch);
        } else {
            take_out(hub, watch);
            TAILQ_INSERT_TAIL(ret_told, watch, in_line);
        }
        return;
    case WATCH_IN_LINE:
        return;
    }
}

static void tell(struct line *told, bool over)
{
    struct watch *watch;

    while ((watch = TAILQ_FIRST(told))) {
        TAILQ_REMOVE(told, watch, in_line);
        watch->wake(watch, over);
    }
}

void hub_wake(struct hub *hub, const int64_t *owners, size_t n)
{
    struct line told = TAILQ_HEAD_INITIALIZER(told);

    pthread_mutex_lock(&hub->mutex);
    for (size_t i = 0; i < n; i++) {
        struct watch *next;
        for (struct watch *w = LIST_FIRST(bucket_of(hub, owners[i])); w; w = next) {
            next = LIST_NEXT(w, in_bucket);
            if (w->owner == owners[i])
                wake(hub, w, &told);
        }
    }
    pthread_mutex_unlock(&hub->mutex);
    tell(&told, false);
}

void hub_wake_all(struct hub *hub)
{
    struct line told = TAILQ_HEAD_INITIALIZER(told);
    struct watch *next;

    pthread_mutex_lock(&hub->mutex);
    for (struct watch *w = TAILQ_FIRST(&hub->by_age); w; w = next) {
        next = TAILQ_NEXT(w, by_age);
        wake(hub, w, &told);
    }
    pthread_mutex_unlock(&hub->mutex);
    tell(&told, false);
}

static bool is_time_for_gone(struct hub *hub, int64_t now_us)
{
    if (now_us - hub->looked_for_gone_us < LOOK_FOR_GONE_US)
        return false;
    hub->looked_for_gone_us = now_us;
    return true;
}

/* While it is parked nobody closes the socket, or gives its number to another. */
static bool has_gone(const struct watch *watch)
{
    struct pollfd fd = {.fd = watch->client_fd, .events = POLLRDHUP};

    return watch->client_fd > 0 && poll(&fd, 1, 0) > 0 && fd.revents;
}

void hub_expire(struct hub *hub, int64_t now_us)
{
    struct line told = TAILQ_HEAD_INITIALIZER(told);
    struct watch *next;

    pthread_mutex_lock(&hub->mutex);
    bool look = is_time_for_gone(hub, now_us);
    for (struct watch *w = TAILQ_FIRST(&hub->parked); w; w = next) {
        next = TAILQ_NEXT(w, in_line);
        if (w->until_us > now_us && !(look && has_gone(w)))
            continue;
        take_out(hub, w);
        TAILQ_INSERT_TAIL(&told, w, in_line);
    }
    pthread_mutex_unlock(&hub->mutex);
    tell(&told, true);
}

void hub_stop(struct hub *hub)
{
    pthread_mutex_lock(&hub->mutex);
    hub->stopped = true;
    pthread_mutex_unlock(&hub->mutex);
    hub_expire(hub, INT64_MAX);
}

/* ---- reading ---- */

static int compare_pairs(const void *left, const void *right)
{
    const struct hub_pair *a = left;
    const struct hub_pair *b = right;

    if (a->owner != b->owner)
        return a->owner < b->owner ? -1 : 1;
    return a->after < b->after ? -1 : a->after > b->after;
}

static size_t without_doubles(struct hub_pair *pairs, size_t n)
{
    size_t n_kept = 0;

    qsort(pairs, n, sizeof(*pairs), compare_pairs);
    for (size_t i = 0; i < n; i++)
        if (n_kept == 0 || compare_pairs(&pairs[n_kept - 1], &pairs[i]) != 0)
            pairs[n_kept++] = pairs[i];
    return n_kept;
}

size_t hub_take_pairs(struct hub *hub, struct hub_pair *ret, size_t n, int64_t *ret_read_at_us)
{
    size_t n_taken = 0;
    struct watch *watch;

    *ret_read_at_us = INT64_MAX;
    pthread_mutex_lock(&hub->mutex);
    while (n_taken < n && (watch = TAILQ_FIRST(&hub->line))) {
        TAILQ_REMOVE(&hub->line, watch, in_line);
        watch->state = WATCH_READING;
        TAILQ_INSERT_TAIL(&hub->reading, watch, in_line);
        watch->woken = false; /* what happens from here on may not be in what is read */
        ret[n_taken++] = (struct hub_pair){watch->owner, watch->position};
        if (watch->read_at_us < *ret_read_at_us)
            *ret_read_at_us = watch->read_at_us;
    }
    pthread_mutex_unlock(&hub->mutex);
    return without_doubles(ret, n_taken);
}

void hub_give_back(struct hub *hub)
{
    struct watch *watch;

    pthread_mutex_lock(&hub->mutex);
    while ((watch = TAILQ_FIRST(&hub->reading))) {
        TAILQ_REMOVE(&hub->reading, watch, in_line);
        line_up(hub, watch);
    }
    pthread_mutex_unlock(&hub->mutex);
}

static enum err_code end_of(const struct watch *watch, const struct hub_news *news)
{
    enum err_code end = news->end;

    for (size_t i = 0; end == ERR_NONE && i < news->n_records; i++)
        end = watch->ends(watch, news->records[i]);
    return end;
}

static void give(struct hub *hub, struct watch *watch, const struct hub_news *news)
{
    enum err_code end = end_of(watch, news);

    TAILQ_REMOVE(&hub->reading, watch, in_line);
    watch->position = news->reached;
    watch->read_at_us = news->read_at_us;
    watch->woken |= news->more;
    if (news->piece || end != ERR_NONE) {
        watch->state = WATCH_BUSY;
        watch->take(watch, news->piece, end);
    } else {
        park_stream(hub, watch);
    }
}

size_t hub_deliver(struct hub *hub, const struct hub_news *news)
{
    size_t n = 0;
    struct watch *watch;

    pthread_mutex_lock(&hub->mutex);
    LIST_FOREACH(watch, bucket_of(hub, news->pair.owner), in_bucket) {
        if (watch->owner != news->pair.owner || watch->state != WATCH_READING ||
            watch->position != news->pair.after)
            continue;
        give(hub, watch, news);
        n++;
    }
    pthread_mutex_unlock(&hub->mutex);
    return n;
}

/* ---- rows of the database ---- */

size_t hub_take_due(
    struct hub *hub, int64_t before_us, int64_t now_us, struct hub_row *ret, size_t n)
{
    size_t n_taken = 0;
    struct watch *watch;

    pthread_mutex_lock(&hub->mutex);
    while (n_taken < n && (watch = TAILQ_FIRST(&hub->by_age)) && watch->renewed_at_us < before_us) {
        struct hub_row *row = &ret[n_taken++];
        *row = (struct hub_row){watch->owner, watch->stream_id, watch->opened_at_us, ""};
        memcpy(row->device, watch->device, sizeof(row->device));
        watch->renewed_at_us = now_us;
        TAILQ_REMOVE(&hub->by_age, watch, by_age);
        TAILQ_INSERT_TAIL(&hub->by_age, watch, by_age);
    }
    pthread_mutex_unlock(&hub->mutex);
    return n_taken;
}

void hub_forget_renewals(struct hub *hub)
{
    struct watch *watch;

    pthread_mutex_lock(&hub->mutex);
    TAILQ_FOREACH(watch, &hub->by_age, by_age) {
        watch->renewed_at_us = 0;
    }
    pthread_mutex_unlock(&hub->mutex);
}

size_t hub_take_gone(struct hub *hub, struct hub_row *ret, size_t n)
{
    size_t n_taken = 0;

    pthread_mutex_lock(&hub->mutex);
    for (; n_taken < n && hub->n_gone; n_taken++) {
        const struct gone *gone = &hub->gone[--hub->n_gone];
        ret[n_taken] = (struct hub_row){gone->owner, gone->stream_id, 0, ""};
    }
    pthread_mutex_unlock(&hub->mutex);
    return n_taken;
}

size_t hub_streams(struct hub *hub)
{
    pthread_mutex_lock(&hub->mutex);
    size_t n = hub->n_streams;
    pthread_mutex_unlock(&hub->mutex);
    return n;
}

size_t hub_waits(struct hub *hub)
{
    pthread_mutex_lock(&hub->mutex);
    size_t n = hub->n_waits;
    pthread_mutex_unlock(&hub->mutex);
    return n;
}
