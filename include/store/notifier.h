/* The thread that brings notifications to their users, slice by slice.
 *
 * The database has all there is to know of a job; any server takes it up where another left it. A
 * slice holds the mailboxes of its users until it is committed, so it is kept so short that a send
 * to one of them hardly notices, and after each the thread rests. */
#pragma once

#include "store/db.h"

struct notifier;

struct notifier *notifier_new(
    const struct db_config *borrows_config, struct metrics *borrows_metrics);
int notifier_start(struct notifier *notifier);
/* Lets the running slice end, joins the thread. */
void notifier_stop(struct notifier *notifier);
void notifier_free(struct notifier *notifier);

/* -1 with one sentence in `why` when the database does not fit this program. */
int notifier_check(struct db *db, char *why, size_t why_size);
