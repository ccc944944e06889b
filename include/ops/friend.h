/* A user's friends. */
#pragma once

#include "base/fields.h"
#include "ops/user.h"

struct friend
{
    struct text peer;
    struct profile peer_profile;
    struct text remark;
    struct list groups;
    json_t *custom;
    int64_t friend_since;
    bool mutual;
};

extern const struct field friend_list_of_fields[];
extern const struct fields friend_fields;

/* 0, or ERR_INVALID_REQUEST where `peer` is `user`; `pointer` names the field that says so. */
struct op;
int check_two_users(struct op *op, struct text user, struct text peer, const char *pointer);

#define FRIEND_REMARK_BYTES 256
#define FRIEND_GROUP_BYTES 64
#define FRIEND_GROUPS_MAX 32
#define PEERS_CHECKED_MAX 1000

#define FIELD_USER(type)                                                                           \
    FIELD_TEXT(type, user, .from = IN_PATH, .required = true, .min = 1, .max = USER_ID_BYTES)
#define FIELD_PEER(type)                                                                           \
    FIELD_TEXT(type, peer, .from = IN_PATH, .required = true, .min = 1, .max = USER_ID_BYTES)
#define FIELD_CURSOR(type)                                                                         \
    FIELD_TEXT(type, cursor, .from = IN_QUERY, .min = 1, .max = 128, .visible_ascii = true)
#define FIELD_LIMIT(type)                                                                          \
    FIELD_INT(                                                                                     \
        type, limit, .from = IN_QUERY, .min = 1, .max = 200, .fallback = 50, .has_fallback = true)
#define FIELD_NEXT_CURSOR(type) FIELD_TEXT(type, next_cursor, .not_column = true)
