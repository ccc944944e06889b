/* The line of messages that wait to be stored, and the threads that store them.
 *
 * A thread takes what waits, up to a batch, at once; one lone message goes alone. It takes only
 * messages neither of whose users is in another thread's hands: a batch locks the mailboxes of all
 * its users until it commits, and two batches with a user in common would only wait for each other.
 */
#pragma once

#include "store/db.h"
#include "store/store.h"

struct sender;

struct sender *sender_new(
    const struct settings *borrows,
    const struct db_config *borrows_config,
    struct metrics *borrows_metrics);
int sender_start(struct sender *sender);
/* Refuses what waits, lets running batches end, joins the threads. */
void sender_stop(struct sender *sender);
void sender_free(struct sender *sender);

int sender_put(struct sender *sender, struct send *send);
size_t sender_waiting(struct sender *sender);
/* Whether any thread has a connection. */
bool sender_connected(struct sender *sender);
