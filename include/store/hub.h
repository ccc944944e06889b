/* Who waits for what is new in which mailbox: a table, and the line of those who are to be read
 * for. It knows no database; store/listener.h does.
 *
 * A stream is BUSY while it has something to write, IDLE when it has been parked, IN_LINE when its
 * mailbox has something new, READING while that is fetched. What happens to its mailbox while it is
 * BUSY or READING is remembered
 * (`woken`), so no wake-up is lost. Thread-safe. */
#pragma once

#include <stddef.h>

#include "base/watch.h"

struct hub;

struct hub *hub_new(void);
void hub_free(struct hub *hub);

/* Readable when there is work: somebody stands in line. */
int hub_fd(const struct hub *hub);
void hub_calm(struct hub *hub); /* until there is more */

/* From now on the watch is known, and BUSY. */
void hub_add(struct hub *hub, struct watch *watch);
/* A stream has written what it had. A request that waits: false when there is something new
 * already, or the hub is stopped; it is not parked then. */
bool hub_park(struct hub *hub, struct watch *watch);
/* It is not told anything any more once this has returned, and its row is to be removed. Takes one
 * that was woken, too. */
void hub_remove(struct hub *hub, struct watch *watch);

void hub_wake(struct hub *hub, const int64_t *owners, size_t n);
/* Of everybody it is not known what they have missed. */
void hub_wake_all(struct hub *hub);
/* Requests whose time is over at `now_us`, or (looked at once a second) whose client has gone, are
 * told so. */
void hub_expire(struct hub *hub, int64_t now_us);
/* All requests that wait are told that their time is over, and so is who would wait from now on. */
void hub_stop(struct hub *hub);

/* What is to be read: a mailbox, after a seq. */
struct hub_pair {
    int64_t owner, after;
};
/* Up to `n` from the front of the line, none twice; *ret_read_at_us: when the one that was read
 * longest ago was. */
size_t hub_take_pairs(struct hub *hub, struct hub_pair *ret, size_t n, int64_t *ret_read_at_us);
/* They could not be read, and stand in line again. */
void hub_give_back(struct hub *hub);

/* What was read of a pair. */
struct hub_news {
    struct hub_pair pair;
    int64_t reached; /* what has been looked at */
    bool more;       /* behind that there is more */
    int64_t read_at_us;
    struct piece *piece;        /* or NULL; borrowed */
    const void *const *records; /* those that may end a stream */
    size_t n_records;
    enum err_code end; /* of all that follow the mailbox; or ERR_NONE */
};
/* Gives it to all who wait for it; returns to how many. */
size_t hub_deliver(struct hub *hub, const struct hub_news *news);

/* A row of the table duet.stream. */
struct hub_row {
    int64_t owner, stream_id, opened_at_us;
    char device[WATCH_DEVICE_BYTES + 1];
};
/* Those that were last renewed before `before_us`, which count as renewed at `now_us`. */
size_t hub_take_due(
    struct hub *hub, int64_t before_us, int64_t now_us, struct hub_row *ret, size_t n);
void hub_forget_renewals(struct hub *hub);
/* Those that were removed. */
size_t hub_take_gone(struct hub *hub, struct hub_row *ret, size_t n);

/* How many streams, and how many requests that wait, are known. */
size_t hub_streams(struct hub *hub);
size_t hub_waits(struct hub *hub);
