/* Messages between two users. */
#pragma once

#include "base/fields.h"
#include "ops/elements.h"
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

extern const struct field message_list_of_fields[];
extern const struct fields message_fields;
/* A message as a line of an archive. */
extern const struct fields message_line_fields;

struct message_push {
    struct text title;
    struct text body;
    struct text extension;
    json_t *vendor; /* as /v4 clients say it */
};

extern const struct fields message_push_fields;

struct message_options {
    int64_t store_seconds;
    bool sync_to_sender;
    bool count_unread;
    bool update_recents;
    bool push;
    bool enforce_policy;
    bool extensible;
};

extern const struct fields message_options_fields;

/* Members of what sends messages: the elements, or a text that stands for one of them. */
#define FIELD_ELEMENTS(type)                                                                       \
    FIELD_VARIANTS(type, elements, .min = 1, .max = MESSAGE_ELEMENTS_MAX, .variants = element_types)
#define FIELD_CONTENT(type, member, ...)                                                           \
    FIELD_TEXT(                                                                                    \
        type, member, .min = 1, .max = MESSAGE_ELEMENTS_BYTES, .multiline = true, __VA_ARGS__)
#define FIELD_CUSTOM_DATA(type) FIELD_TEXT(type, custom_data, .max = 4096, .multiline = true)
#define FIELD_CLIENT_ID(type)                                                                      \
    FIELD_TEXT(type, client_id, .min = 1, .max = 64, .visible_ascii = true)

struct op;

/* 0, or ERR_INVALID_REQUEST where they are one. `prefix` is the pointer of the object that holds
 * them; likewise the next. */
int message_check_users(struct err *err, const char *prefix, struct text from, struct text to);
/* What a message says, as JSON in the arena of *err: `text` stands for one text element. Absent,
 * with *err filled, unless one of the two is given, and not too long. */
struct text message_content(
    struct err *err, const char *prefix, const json_t *elements, struct text text);
/* The same where it is known that one is given: at `pointer`. */
struct text message_elements(
    struct err *err, const char *pointer, const json_t *elements, struct text text);
/* The elements that consist of one, `{"type": type, name: text}`; the arena's. */
json_t *message_one_element(struct op *op, const char *type, const char *name, struct text text);
