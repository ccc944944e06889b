/* The database, as the operations see it: sends that share commits, and calls on a pool of
 * connections.
 *
 * While the database is away everything is refused at once with ERR_DATABASE_UNAVAILABLE; the
 * threads try to reach it again by themselves, after 50 ms, then twice as long each time up to 2 s.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/metrics.h"
#include "base/op.h"
#include "base/settings.h"
#include "base/watch.h"

struct store;
struct send;

/* `archive_line`: how a message is written into archives.
 *
 * Connects and checks that the database is one this program can work with; then starts the threads.
 * Waits for the database as long as settings->start_timeout_s. -1 with one sentence in `why`. */
int store_open(
    const struct settings *borrows,
    struct metrics *borrows_metrics,
    const struct operation *const *operations,
    size_t n_operations,
    const struct fields *borrows_archive_line,
    struct store **ret,
    char *why,
    size_t why_size);

/* Answers what still waits with ERR_SHUTTING_DOWN, lets what runs come to its end, ends the
 * threads. What comes later is refused at once. Takes NULL. */
void store_stop(struct store *store);
/* After store_stop, when nobody can call any more. Takes NULL. */
void store_free(struct store *store);

/* For sending and for everything else. */
bool store_is_available(const struct store *store);
size_t store_sends_waiting(struct store *store);
size_t store_calls_waiting(struct store *store);

/* Puts the operation in line for a reader thread, which runs it and calls op->done. Returns -1 with
 * op->err filled, and op->done not called, when it cannot. */
int store_submit(struct store *store, struct op *op);

/* For `run` of an operation on a reader thread: calls the SQL function of the operation's name with
 * the fields of its input and reads the one row into op->out. An `outcome` other than "ok" is the
 * error of that code; a column `created` that is false sets op->found, a column `etag` op->etag. */
int store_call_one(struct op *op);

/* The same for functions that return rows. op->out holds one LIST, which takes the rows, and may
 * hold more: `next_cursor`, filled from the column `cursor` of the last row where there are more,
 * and columns that are the same in every row. A last row whose first column of the LIST is null is
 * no item: it is there so that a list that is empty has a row, and where a page was ended before it
 * was full its `cursor` says where to go on. */
int store_call_rows(struct op *op);

/* For operations with `.stream`: a row is a line of the reply, a record of op->out; a call is a
 * piece. The column `cursor` of the last row says where the next piece starts, and is given to the
 * next call as the field `cursor` (IN_STREAM); where it is null, the reply is whole. The function
 * sees to it that pieces are small. */
int store_call_stream(struct op *op);

/* Following a mailbox: first it is opened, then read, then parked; what comes after the opening and
 * is not in what was read, the watch is told of.
 *
 * Opens it, on a reader thread: the mailbox of `user`, for the device that the watch names. -1 with
 * op->err filled. *ret_last_seq is the newest entry at that moment. */
int store_watch_open(
    struct store *store,
    struct op *op,
    struct text user,
    struct watch *watch,
    int64_t *ret_last_seq);
/* A request that was woken is about to read again. */
void store_watch_again(struct store *store, struct watch *watch);
/* False for a request: there may be something new since it was opened, or parked last; it is to
 * read again. */
bool store_watch_park(struct store *store, struct watch *watch);
/* When this has returned the watch is nobody's but the caller's. Takes one that is not open. */
void store_watch_close(struct store *store, struct watch *watch);
/* Requests that wait are woken, and none waits any more. */
void store_release(struct store *store);
/* How many streams are open, or requests wait. */
size_t store_watches(struct store *store, bool streams);

/* A message on its way into two mailboxes. Texts are borrowed until `done` has been called. */
struct send {
    struct text from, to;
    struct text elements, custom_data, push; /* JSON text; text; JSON text */
    struct text client_id;
    struct text sent_by; /* subject of the token */
    int64_t issued_at_s; /* of a user token, which may be void by now; else SEND_BY_BACK_END */
    struct text device;  /* of a user token that was made for one */
    struct text idempotency_key;
    struct text caller;       /* whose key it is */
    struct text request_hash; /* 32 bytes, where there is a key */
    int64_t store_seconds;
    int64_t options; /* enum send_option */
    int64_t deadline_us;

    struct arena *arena; /* borrowed: the results below are kept there */
    struct err *err;     /* borrowed */
    struct message_id id;
    struct text sender_nick, sender_avatar_url;
    bool replayed; /* the message was stored by an earlier request: these are its contents */
    struct text stored_elements, stored_custom_data, stored_sent_by, stored_state;
    int64_t stored_edited_at;
    int64_t database_us;

    bool rehearsal; /* every check, and nothing stored */

    void (*done)(struct send *send, int result); /* called exactly once, from a sender thread */
    void *owner;                                 /* of `done` */

    struct send *next; /* of the line it stands in */
    uint64_t users[2]; /* hashes of from and to */
    bool from_fresh;   /* the number was asked for in this very batch, not taken from the cache */
    bool to_fresh;
};

#define SEND_BY_BACK_END INT64_MAX

enum send_option {
    SEND_SYNC_TO_SENDER = 1,
    SEND_COUNT_UNREAD = 2,
    SEND_UPDATE_RECENTS = 4,
    SEND_PUSH = 8,
    SEND_ENFORCE_POLICY = 16,
    SEND_EXTENSIBLE = 64, /* 32 is for what was imported */
};

/* Puts the message in line. Returns -1 with send->err filled, and `done` not called, when it
 * cannot. */
int store_send(struct store *store, struct send *send);
