/* Somebody who is to be told what is new in a mailbox: a stream, or a request that waits.
 *
 * The record belongs to whoever waits; the store (store/store.h) knows it from store_watch_open to
 * store_watch_close. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/piece.h"

#define WATCH_DEVICE_BYTES 64

struct watch {
    /* ---- set before it is opened ---- */

    /* A stream is given new entries, on a thread of the store which must not be kept. It is given
     * the next ones when it has been parked again. `piece` is borrowed, NULL: there is none. `end`
     * other than ERR_NONE: there will be no more, and why. NULL: it is no stream. */
    void (*take)(struct watch *watch, struct piece *piece, enum err_code end);
    /* A stream: whether the record, an entry that was shown, is the last that it may see, and why.
     */
    enum err_code (*ends)(const struct watch *watch, const void *record);
    /* A request that waits is only told, from any thread, that there is something new, or that its
     * time is over. It is not parked any more then. */
    void (*wake)(struct watch *watch, bool over);
    int64_t until_us; /* monotonic: when the time of a request that waits is over */
    int client_fd;    /* of a request that waits: its client's socket, open while it is parked; when
                       * the client has closed it, the time is over too. 0: unknown */
    char device[WATCH_DEVICE_BYTES + 1];       /* whose stream it is; empty: of none */
    char token_device[WATCH_DEVICE_BYTES + 1]; /* that the token was made for; empty: for any */
    bool of_user_token;                        /* not of a back-end service's */

    /* ---- set by store_watch_open ---- */

    int64_t owner; /* the mailbox; 0: it is not open */
    int64_t stream_id;
    int64_t opened_at_us; /* by the clock of the database */

    /* ---- the stream's own until it is parked, then the store's ---- */

    int64_t position;   /* has been told of everything up to here */
    int64_t read_at_us; /* when the mailbox was read up to there */

    /* ---- the store's ---- */

    enum { WATCH_BUSY, WATCH_IDLE, WATCH_IN_LINE, WATCH_READING } state;
    bool woken; /* there is something new behind `position` */
    int64_t renewed_at_us;
    LIST_ENTRY(watch) in_bucket;
    TAILQ_ENTRY(watch) by_age;
    TAILQ_ENTRY(watch) in_line;
};
