/* The local store: one SQLite file, one writer, safe from any thread.
 *
 * How it knows what it has: the messages with one peer stand in the order of the server's history,
 * which goes by day and within a day by number in the mailbox. Of each message it keeps whether the
 * one before it in the store is the one before it in the history (`joined`), and of each peer
 * whether the newest one in the store is the newest there is (`top_joined`). What the mailbox
 * brings is joined to what was on top; when numbers are left out on the way, nobody knows whose
 * messages they were, and no top is joined any more. A page of the history joins what stands side
 * by side in it. So a stretch can be given from the store if each of its messages is joined, and
 * else the history is asked at the first that is not. */
#pragma once

#include "client/wire.h"

/* So many messages of the outbox are shown, the newest. */
#define DUET_OUTBOX_SHOWN 100

struct store;

enum duet_error store_open(
    const char *path, const char *user, const char *device, struct store **ret);
void store_close(struct store *store);

/* ---- the mailbox ---- */

/* Everything up to this number is in the store; -1 before the first login. */
int64_t store_position(struct store *store);
/* Goes to a position without having had the entries up to it. */
enum duet_error store_jump(struct store *store, int64_t position);
/* Takes what the entry says and moves the position, in one transaction. */
enum duet_error store_take(struct store *store, const struct entry *entry);

/* ---- messages ---- */

/* Where something is missing. */
struct gap {
    char *anchor;    /* id of the message before which it is; NULL: on top */
    int64_t sent_at; /* of the anchor */
    char *cursor;    /* of the history, behind the anchor; NULL: not known */
    /* when the gap was seen: */
    int64_t position;
    int64_t n_jumps;
    int64_t newest_seq;
};

/* Up to `limit` messages into `ret`, as duet_get_messages gives them; a gap that is found is left
 * in *gap, in the arena of the list. False when `before` is not in the store. */
struct message_list {
    struct duet_messages list; /* first, so that a pointer to it is one to all */
    struct arena *arena;
    struct duet_message *items;
    struct gap gap;
    bool has_gap;
};

enum duet_error store_read(
    struct store *store, const char *peer, const char *before, int limit, struct message_list *ret);

/* A page of the history, newest first, that begins behind the gap's anchor. */
struct page_item {
    struct duet_message message;
    const char *body;
};

enum duet_error store_take_page(
    struct store *store,
    const char *peer,
    const struct gap *gap,
    const struct page_item *items,
    size_t n,
    const char *next_cursor);

/* ---- conversations ---- */

struct conversation_list {
    struct duet_conversations list; /* first, as above */
    struct arena *arena;
};

/* `json` is the server's list. */
enum duet_error store_take_conversations(struct store *store, const json_t *json);
enum duet_error store_read_conversations(struct store *store, struct conversation_list *ret);

/* ---- the outbox ---- */

struct outbox_row {
    int64_t n;
    char client_id[DUET_CLIENT_ID_SIZE];
    const char *peer;
    const char *body;
};

/* On disk when it returns. */
enum duet_error store_outbox_add(
    struct store *store, const char *client_id, const char *peer, const char *body);
/* The next one to send that is for none of the `n` peers; false when there is none. */
bool store_outbox_next(
    struct store *store,
    const char *const *but_peers,
    size_t n,
    struct arena *arena,
    struct outbox_row *ret);
/* It became this message: kept until the mailbox brings it. */
enum duet_error store_outbox_sent(
    struct store *store, int64_t n, const char *message_id, const char *body);
enum duet_error store_outbox_remove(struct store *store, int64_t n);
