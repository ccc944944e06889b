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

struct op;

/* 0, or ERR_INVALID_REQUEST where `peer` is `user`; `pointer` names the field that says so. */
int check_two_users(struct err *err, struct text user, struct text peer, const char *pointer);

/* The input of an operation that is told two users by the path, and nothing else. */
struct user_pair {
    struct text user;
    struct text peer;
};

extern const struct field user_pair_fields[];
int user_pair_check(struct op *op); /* they are two */

/* The same of what is asked about a user and several others. */
struct user_peers {
    struct text user;
    struct list peers;
};

extern const struct field user_peers_fields[];

#define FRIEND_REMARK_BYTES 256
#define FRIEND_GROUP_BYTES 64
#define FRIEND_GROUPS_MAX 32
#define PEERS_CHECKED_MAX 1000
