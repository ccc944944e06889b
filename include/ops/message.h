/* Messages between two users. */
#pragma once

#include "base/fields.h"
#include "ops/user.h"

#define MESSAGE_ELEMENTS_MAX 16
#define MESSAGE_ELEMENTS_BYTES 12288 /* of JSON, together */
#define MESSAGE_KEPT_SECONDS 604800  /* 7 days, the longest store_seconds */

struct message {
    struct message_id id;
    struct text from; /* absent: the user was deleted; likewise the next */
    struct text to;
    struct text kind;
    struct text elements; /* JSON */
    struct text custom_data;
    int64_t sent_at;
    struct text sent_by;
    struct sender_profile sender_profile;
    struct text state;
    int64_t edited_at;
};

extern const struct fields message_fields;

struct message_push {
    struct text title;
    struct text body;
    struct text extension;
};

extern const struct fields message_push_fields;

struct message_options {
    int64_t store_seconds;
    bool sync_to_sender;
    bool count_unread;
    bool update_recents;
    bool push;
    bool enforce_policy;
};

extern const struct fields message_options_fields;
