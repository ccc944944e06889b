/* The groups that a user sorts conversations into. */
#include "base/op.h"
#include "ops/message.h"
#include "store/store.h"

#define CONVERSATION_GROUP_BYTES 64

struct conversation_group {
    struct text name;
    int64_t number;
    int64_t created_at;
};

static const struct field conversation_group_list_of_fields[] = {
    FIELD_TEXT(struct conversation_group, name),
    FIELD_INT(struct conversation_group, number),
    FIELD_TIME(struct conversation_group, created_at),
    FIELD_END,
};

static const struct fields conversation_group_fields =
    FIELDS(conversation_group_list_of_fields, struct conversation_group);

/* ---- conversation_group_list ---- */

struct conversation_group_list {
    struct text user;
};

static const struct field conversation_group_list_fields[] = {
    FIELD_USER(struct conversation_group_list),
    FIELD_END,
};

struct conversation_groups {
    struct list items;
};

static const struct field conversation_groups_fields[] = {
    FIELD_LIST(struct conversation_groups, items, .of = &conversation_group_fields),
    FIELD_END,
};

const struct operation conversation_group_list = {
    .name = "conversation_group_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(conversation_group_list_fields, struct conversation_group_list),
    .out = FIELDS(conversation_groups_fields, struct conversation_groups),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- conversation_group_put, conversation_group_delete ---- */

struct conversation_group_named {
    struct text user;
    struct text group;
};

#define FIELD_CONVERSATION_GROUP(type)                                                             \
    FIELD_TEXT(                                                                                    \
        type, group, .from = IN_PATH, .required = true, .min = 1, .max = CONVERSATION_GROUP_BYTES)

static const struct field conversation_group_named_fields[] = {
    FIELD_USER(struct conversation_group_named),
    FIELD_CONVERSATION_GROUP(struct conversation_group_named),
    FIELD_END,
};

const struct operation conversation_group_put = {
    .name = "conversation_group_put",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(conversation_group_named_fields, struct conversation_group_named),
    .out = FIELDS(conversation_group_list_of_fields, struct conversation_group),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_GROUPS_FULL, ERR_NONE},
    .location = "/v1/users/{user}/conversation-groups/{group}",
};

const struct operation conversation_group_delete = {
    .name = "conversation_group_delete",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(conversation_group_named_fields, struct conversation_group_named),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- conversation_group_rename ---- */

struct conversation_group_rename {
    struct text user;
    struct text group;
    struct text name;
};

static const struct field conversation_group_rename_fields[] = {
    FIELD_USER(struct conversation_group_rename),
    FIELD_CONVERSATION_GROUP(struct conversation_group_rename),
    FIELD_TEXT(
        struct conversation_group_rename,
        name,
        .required = true,
        .min = 1,
        .max = CONVERSATION_GROUP_BYTES),
    FIELD_END,
};

static int conversation_group_rename_check(struct op *op)
{
    const struct conversation_group_rename *in = op->in;

    return check_new_name(op, in->name, "/name", op->err);
}

const struct operation conversation_group_rename = {
    .name = "conversation_group_rename",
    .lane = LANE_READER,
    .check = conversation_group_rename_check,
    .audit = true,
    .in = FIELDS(conversation_group_rename_fields, struct conversation_group_rename),
    .out = FIELDS(conversation_group_list_of_fields, struct conversation_group),
    .refuses =
        (const enum err_code[]){ERR_USER_UNKNOWN, ERR_GROUP_UNKNOWN, ERR_NAME_TAKEN, ERR_NONE},
};
