/* What the server says, read into structs. All that is read is copied into the arena; false where
 * the document is not as the API promises. */
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "duet.h"

/* An entry of the mailbox. */
struct entry {
    int64_t seq;
    struct duet_event event;
    bool is_message;                /* a new one */
    const char *body;               /* of event.message: its JSON */
    bool removed, messages_removed; /* of `conversation` */
    const char *kicked_device;      /* of `kicked`; empty: all */
    const char *kicked_reason;
};

bool wire_entry(struct arena *arena, const char *user, const json_t *json, struct entry *ret);

/* `user` tells which of the two is the peer. */
bool wire_message(
    struct arena *arena, const char *user, const json_t *json, struct duet_message *ret);
/* From the text that the store has kept. */
bool wire_message_text(
    struct arena *arena, const char *user, const char *json, struct duet_message *ret);
/* What waits in the outbox, from the body of its request. */
bool wire_pending(
    struct arena *arena,
    const char *client_id,
    int64_t created_at,
    const char *body,
    struct duet_message *ret);
bool wire_conversation(
    struct arena *arena, const char *user, const json_t *json, struct duet_conversation *ret);
bool wire_contact(struct arena *arena, const json_t *json, struct duet_contact *ret);

/* A tree as compact text. */
const char *wire_text(struct arena *arena, const json_t *json);

/* The body of a message to send; false where a part of it is not JSON of the right kind. */
bool wire_outgoing(
    struct buf *ret, const char *user, const char *client_id, const struct duet_outgoing *message);
