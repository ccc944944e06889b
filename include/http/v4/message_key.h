/* MsgKey: MsgSeq, MsgRandom and MsgTime of a message, with '_' between them. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/text.h"

struct message_key {
    int64_t seq;    /* uint32 */
    int64_t random; /* uint32 */
    int64_t time_s; /* Unix seconds */
};

bool message_key_parse(struct text t, struct message_key *ret);
struct text message_key_text(const struct message_key *key, struct arena *arena);
