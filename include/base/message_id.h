/* The id of a message: opaque to clients, and all that is needed to find either copy by primary
 * key.
 *
 * As text it is base64url without padding of a version byte, five variable-length numbers and the
 * nonce: 30 to 36 characters of [A-Za-z0-9_-] in practice, 60 while all numbers are below 2^56. The
 * nonce is random: an id that was not given out names nothing, because every part is compared with
 * the row. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct message_id {
    int64_t receiver;     /* number of the receiver; 0: no id */
    int64_t receiver_seq; /* in the receiver's mailbox */
    int64_t sender;
    int64_t sender_seq; /* in the sender's mailbox; 0: the sender keeps no copy */
    int64_t sent_at;    /* microseconds since 1970 */
    int64_t nonce;      /* 32 random bits */
};

#define MESSAGE_ID_TEXT 72

struct text message_id_to_text(const struct message_id *id, char buffer[MESSAGE_ID_TEXT]);
bool message_id_from_text(struct text t, struct message_id *ret);
