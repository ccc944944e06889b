/* Users whose messages a user does not want. */
#include "base/op.h"
#include "ops/friend.h"
#include "store/store.h"

struct block {
    struct text peer;
    struct profile peer_profile;
    int64_t blocked_at;
};

static const struct field block_list_of_fields[] = {
    FIELD_TEXT(struct block, peer),
    FIELD_OBJECT(struct block, peer_profile, struct profile, .of = &profile_fields),
    FIELD_TIME(struct block, blocked_at),
    FIELD_END,
};

static const struct fields block_fields = FIELDS(block_list_of_fields, struct block);

/* ---- block_put ---- */

const struct operation block_put = {
    .name = "block_put",
    .lane = LANE_READER,
    .check = user_pair_check,
    .audit = true,
    .in = FIELDS(user_pair_fields, struct user_pair),
    .out = FIELDS(block_list_of_fields, struct block),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_BLOCKS_FULL, ERR_NONE},
    .location = "/v1/users/{user}/blocks/{peer}",
};

/* ---- block_get ---- */

const struct operation block_get = {
    .name = "block_get",
    .lane = LANE_READER,
    .in = FIELDS(user_pair_fields, struct user_pair),
    .out = FIELDS(block_list_of_fields, struct block),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_BLOCK_UNKNOWN, ERR_NONE},
};

/* ---- block_delete ---- */

const struct operation block_delete = {
    .name = "block_delete",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(user_pair_fields, struct user_pair),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- block_list ---- */

struct block_list {
    struct text user;
    struct text cursor;
    int64_t limit;
};

static const struct field block_list_fields[] = {
    FIELD_USER(struct block_list),
    FIELD_CURSOR(struct block_list),
    FIELD_LIMIT(struct block_list),
    FIELD_END,
};

struct block_page {
    struct list items;
    struct text next_cursor;
};

static const struct field block_page_fields[] = {
    FIELD_LIST(struct block_page, items, .of = &block_fields),
    FIELD_NEXT_CURSOR(struct block_page),
    FIELD_END,
};

const struct operation block_list = {
    .name = "block_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(block_list_fields, struct block_list),
    .out = FIELDS(block_page_fields, struct block_page),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_CURSOR_INVALID, ERR_NONE},
};

/* ---- block_check ---- */

struct block_checked {
    struct text peer;
    bool blocked;
    bool blocked_by;
};

static const struct field block_checked_list[] = {
    FIELD_TEXT(struct block_checked, peer),
    FIELD_BOOL(struct block_checked, blocked),
    FIELD_BOOL(struct block_checked, blocked_by),
    FIELD_END,
};

static const struct fields block_checked_fields = FIELDS(block_checked_list, struct block_checked);

struct block_checks {
    struct list items;
};

static const struct field block_checks_fields[] = {
    FIELD_LIST(struct block_checks, items, .of = &block_checked_fields),
    FIELD_END,
};

const struct operation block_check = {
    .name = "block_check",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(user_peers_fields, struct user_peers),
    .out = FIELDS(block_checks_fields, struct block_checks),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};
