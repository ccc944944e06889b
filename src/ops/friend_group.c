/* The names by which a user sorts friends. */
#include "base/op.h"
#include "ops/friend.h"
#include "store/store.h"

struct friend_group {
    struct text name;
    int64_t friends;
    int64_t created_at;
};

static const struct field friend_group_list_of_fields[] = {
    FIELD_TEXT(struct friend_group, name),
    FIELD_INT(struct friend_group, friends),
    FIELD_TIME(struct friend_group, created_at),
    FIELD_END,
};

static const struct fields friend_group_fields =
    FIELDS(friend_group_list_of_fields, struct friend_group);

/* ---- friend_group_list ---- */

struct friend_group_list {
    struct text user;
};

static const struct field friend_group_list_fields[] = {
    FIELD_USER(struct friend_group_list),
    FIELD_END,
};

struct friend_groups {
    struct list items;
};

static const struct field friend_groups_fields[] = {
    FIELD_LIST(struct friend_groups, items, .of = &friend_group_fields),
    FIELD_END,
};

const struct operation friend_group_list = {
    .name = "friend_group_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(friend_group_list_fields, struct friend_group_list),
    .out = FIELDS(friend_groups_fields, struct friend_groups),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- friend_group_put ---- */

struct friend_group_named {
    struct text user;
    struct text group;
};

static const struct field friend_group_named_fields[] = {
    FIELD_USER(struct friend_group_named),
    FIELD_TEXT(
        struct friend_group_named,
        group,
        .from = IN_PATH,
        .required = true,
        .min = 1,
        .max = FRIEND_GROUP_BYTES),
    FIELD_END,
};

const struct operation friend_group_put = {
    .name = "friend_group_put",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(friend_group_named_fields, struct friend_group_named),
    .out = FIELDS(friend_group_list_of_fields, struct friend_group),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_GROUPS_FULL, ERR_NONE},
    .location = "/v1/users/{user}/friend-groups/{group}",
};

/* ---- friend_group_delete ---- */

const struct operation friend_group_delete = {
    .name = "friend_group_delete",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(friend_group_named_fields, struct friend_group_named),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};
