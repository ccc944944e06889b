#include "ops/friend.h"

#include "base/op.h"
#include "ops/problem.h"
#include "store/store.h"

const struct field friend_list_of_fields[] = {
    FIELD_TEXT(struct friend, peer),
    FIELD_OBJECT(struct friend, peer_profile, struct profile, .of = &profile_fields),
    FIELD_TEXT(struct friend, remark),
    FIELD_TEXTS(struct friend, groups),
    FIELD_MAP(struct friend, custom),
    FIELD_TIME(struct friend, friend_since),
    FIELD_BOOL(struct friend, mutual),
    FIELD_END,
};

const struct fields friend_fields = FIELDS(friend_list_of_fields, struct friend);

int check_two_users(struct err *err, struct text user, struct text peer, const char *pointer)
{
    if (text_present(user) && text_equal(user, peer))
        return err_field(err, ERR_INVALID_REQUEST, pointer, "is the user itself");
    return 0;
}

const struct field user_pair_fields[] = {
    FIELD_USER(struct user_pair),
    FIELD_PEER(struct user_pair),
    FIELD_END,
};

int user_pair_check(struct op *op)
{
    const struct user_pair *in = op->in;

    return check_two_users(op->err, in->user, in->peer, "/peer");
}

const struct field user_peers_fields[] = {
    FIELD_USER(struct user_peers),
    FIELD_TEXTS(
        struct user_peers,
        peers,
        .required = true,
        .min = 1,
        .max = PEERS_CHECKED_MAX,
        .max_value_bytes = USER_ID_BYTES),
    FIELD_END,
};

/* ---- friend_put ---- */

/* What the user's own side of a friendship says. */
#define FRIEND_SIDE_FIELDS(type)                                                                   \
    FIELD_TEXT(type, remark, .max = FRIEND_REMARK_BYTES),                                          \
        FIELD_TEXTS(                                                                               \
            type, groups, .max = FRIEND_GROUPS_MAX, .max_value_bytes = FRIEND_GROUP_BYTES),        \
        FIELD_MAP(type, custom, .max = 64, .max_value_bytes = 1024)

struct friend_put {
    struct text user;
    struct text peer;
    bool one_way;
    struct text remark;
    struct list groups;
    json_t *custom;
    struct text as_user;
};

static const struct field friend_put_fields[] = {
    FIELD_USER(struct friend_put),
    FIELD_PEER(struct friend_put),
    FIELD_BOOL(struct friend_put, one_way, .has_fallback = true),
    FRIEND_SIDE_FIELDS(struct friend_put),
    FIELD_TEXT(struct friend_put, as_user, .from = IN_CALLER),
    FIELD_END,
};

static int friend_put_check(struct op *op)
{
    const struct friend_put *in = op->in;

    return check_two_users(op->err, in->user, in->peer, "/peer");
}

const struct operation friend_put = {
    .name = "friend_put",
    .lane = LANE_READER,
    .check = friend_put_check,
    .audit = true,
    .in = FIELDS(friend_put_fields, struct friend_put),
    .out = FIELDS(friend_list_of_fields, struct friend),
    .refuses =
        (const enum err_code[]){
            ERR_USER_UNKNOWN, ERR_FRIENDS_FULL, ERR_GROUP_UNKNOWN, ERR_FRIEND_POLICY_REFUSES,
            ERR_BLOCKED_BY_RECIPIENT, ERR_NONE},
    .location = "/v1/users/{user}/friends/{peer}",
};

/* ---- friend_get ---- */

const struct operation friend_get = {
    .name = "friend_get",
    .lane = LANE_READER,
    .in = FIELDS(user_pair_fields, struct user_pair),
    .out = FIELDS(friend_list_of_fields, struct friend),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_FRIEND_UNKNOWN, ERR_NONE},
};

/* ---- friend_patch ---- */

struct friend_patch {
    struct text user;
    struct text peer;
    struct text remark;
    struct list groups;
    json_t *custom;
};

static const struct field friend_patch_fields[] = {
    FIELD_USER(struct friend_patch),
    FIELD_PEER(struct friend_patch),
    FRIEND_SIDE_FIELDS(struct friend_patch),
    FIELD_END,
};

const struct operation friend_patch = {
    .name = "friend_patch",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(friend_patch_fields, struct friend_patch),
    .merge_patch = true,
    .out = FIELDS(friend_list_of_fields, struct friend),
    .refuses =
        (const enum err_code[]){ERR_USER_UNKNOWN, ERR_FRIEND_UNKNOWN, ERR_GROUP_UNKNOWN, ERR_NONE},
};

/* ---- friend_delete ---- */

struct friend_delete {
    struct text user;
    struct text peer;
    bool one_way;
};

static const struct field friend_delete_fields[] = {
    FIELD_USER(struct friend_delete),
    FIELD_PEER(struct friend_delete),
    FIELD_BOOL(struct friend_delete, one_way, .from = IN_QUERY, .has_fallback = true),
    FIELD_END,
};

const struct operation friend_delete = {
    .name = "friend_delete",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(friend_delete_fields, struct friend_delete),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- friend_delete_all ---- */

struct friend_delete_all {
    struct text user;
    bool one_way;
};

static const struct field friend_delete_all_fields[] = {
    FIELD_USER(struct friend_delete_all),
    FIELD_BOOL(struct friend_delete_all, one_way, .from = IN_QUERY, .has_fallback = true),
    FIELD_END,
};

struct friends_deleted {
    int64_t removed;
    bool more;
};

static const struct field friends_deleted_fields[] = {
    FIELD_INT(struct friends_deleted, removed),
    FIELD_BOOL(struct friends_deleted, more),
    FIELD_END,
};

const struct operation friend_delete_all = {
    .name = "friend_delete_all",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(friend_delete_all_fields, struct friend_delete_all),
    .out = FIELDS(friends_deleted_fields, struct friends_deleted),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- friend_list ---- */

struct friend_list {
    struct text user;
    struct text group;
    struct text cursor;
    int64_t limit;
};

static const struct field friend_list_fields[] = {
    FIELD_USER(struct friend_list),
    FIELD_TEXT(struct friend_list, group, .from = IN_QUERY, .min = 1, .max = FRIEND_GROUP_BYTES),
    FIELD_CURSOR(struct friend_list),
    FIELD_LIMIT(struct friend_list),
    FIELD_END,
};

struct friend_page {
    struct list items;
    struct text next_cursor;
};

static const struct field friend_page_fields[] = {
    FIELD_LIST(struct friend_page, items, .of = &friend_fields),
    FIELD_NEXT_CURSOR(struct friend_page),
    FIELD_END,
};

const struct operation friend_list = {
    .name = "friend_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(friend_list_fields, struct friend_list),
    .out = FIELDS(friend_page_fields, struct friend_page),
    .refuses =
        (const enum err_code[]){ERR_USER_UNKNOWN, ERR_GROUP_UNKNOWN, ERR_CURSOR_INVALID, ERR_NONE},
};

/* ---- friend_check ---- */

static const char *const relations[] = {"none", "outgoing", "incoming", "mutual", "unknown", NULL};

struct friend_checked {
    struct text peer;
    struct text relation;
};

static const struct field friend_checked_list[] = {
    FIELD_TEXT(struct friend_checked, peer),
    FIELD_TEXT(struct friend_checked, relation, .one_of = relations),
    FIELD_END,
};

static const struct fields friend_checked_fields =
    FIELDS(friend_checked_list, struct friend_checked);

struct friend_checks {
    struct list items;
};

static const struct field friend_checks_fields[] = {
    FIELD_LIST(struct friend_checks, items, .of = &friend_checked_fields),
    FIELD_END,
};

const struct operation friend_check = {
    .name = "friend_check",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(user_peers_fields, struct user_peers),
    .out = FIELDS(friend_checks_fields, struct friend_checks),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- friend_import ---- */

struct friend_import_item {
    struct text peer;
    struct text remark;
    struct list groups;
    json_t *custom;
    int64_t friend_since;
    bool one_way;
};

static const struct field friend_import_item_list[] = {
    FIELD_TEXT(struct friend_import_item, peer, .required = true, .min = 1, .max = USER_ID_BYTES),
    FRIEND_SIDE_FIELDS(struct friend_import_item),
    FIELD_TIME(struct friend_import_item, friend_since),
    FIELD_BOOL(struct friend_import_item, one_way, .has_fallback = true),
    FIELD_END,
};

static const struct fields friend_import_item_fields =
    FIELDS(friend_import_item_list, struct friend_import_item);

struct friend_import {
    struct text user;
    struct list friends;
    struct text idempotency_key;
};

static const struct field friend_import_fields[] = {
    FIELD_USER(struct friend_import),
    FIELD_LIST(
        struct friend_import,
        friends,
        .required = true,
        .min = 1,
        .max = 100,
        .of = &friend_import_item_fields,
        .one_by_one = true),
    FIELD_IDEMPOTENCY_KEY(struct friend_import),
    FIELD_END,
};

struct friend_imported {
    struct text peer;
    int64_t status;
    struct text problem; /* the row has the code of an error alone */
};

static const struct field friend_imported_list[] = {
    FIELD_TEXT(struct friend_imported, peer),
    FIELD_INT(struct friend_imported, status),
    FIELD_RAW(struct friend_imported, problem, .omit_absent = true),
    FIELD_END,
};

static const struct fields friend_imported_fields =
    FIELDS(friend_imported_list, struct friend_imported);

struct friend_imports {
    struct list results;
};

static const struct field friend_imports_fields[] = {
    FIELD_LIST(struct friend_imports, results, .of = &friend_imported_fields),
    FIELD_END,
};

static int friend_import_check(struct op *op)
{
    struct friend_import *in = op->in;
    const struct friend_import_item *items = in->friends.items;

    for (size_t i = in->friends.n_items; i-- > 0;) {
        size_t place = list_place(&in->friends, i);
        struct err err;
        err_init(&err, op->arena);
        if (check_two_users(
                &err, in->user, items[i].peer,
                arena_printf(op->arena, "/friends/%zu/peer", place)) != 0)
            list_leave_out(&in->friends, i, sizeof(*items), &err);
    }
    return list_must_hold(&in->friends, op->err);
}

static int friend_import_run(struct op *op)
{
    if (store_call_rows(op) != 0)
        return -1;
    problem_tell(op, "friends", "peer");
    return 0;
}

const struct operation friend_import = {
    .name = "friend_import",
    .lane = LANE_READER,
    .check = friend_import_check,
    .run = friend_import_run,
    .audit = true,
    .in = FIELDS(friend_import_fields, struct friend_import),
    .out = FIELDS(friend_imports_fields, struct friend_imports),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};
