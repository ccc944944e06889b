/* The thread that hears what is new in which mailbox, and reads it for those who follow one.
 *
 * Its connection listens on the channel duet_mailbox. Those who were woken are read for together:
 * one call for many mailboxes, and each entry encoded once however many streams it goes to. When
 * the connection was lost, everybody counts as woken: what was missed is in the log. */
#pragma once

#include "base/caller.h"
#include "base/fields.h"
#include "base/metrics.h"
#include "store/db.h"
#include "store/hub.h"

struct listener;

/* `borrows_entry` is the table of an entry, as event_list has it. */
struct listener *listener_new(
    struct hub *borrows_hub,
    const struct fields *borrows_entry,
    const struct db_config *borrows_config,
    struct metrics *borrows_metrics);
int listener_start(struct listener *listener);
/* Joins the thread, when it has removed the rows of streams that have ended. */
void listener_stop(struct listener *listener);
void listener_free(struct listener *listener);

/* -1 with one sentence in `why` when the database does not fit this program. */
int listener_check(struct db *db, const struct fields *entry, char *why, size_t why_size);

/* On the thread of `db`: the mailbox is followed from now on, by `watch`. -1 with *err filled. */
struct watch_asked {
    struct text user;
    const struct caller *caller;
    int64_t most; /* streams of a user */
};
int listener_open(
    struct db *db,
    const struct watch_asked *asked,
    struct arena *arena,
    struct watch *watch,
    int64_t *ret_last_seq,
    struct err *err);
