/* Small named values on a message, which either of its users may write. */
#include "base/op.h"
#include "ops/message.h"
#include "ops/problem.h"
#include "store/store.h"

#define KEY_BYTES 100
#define VALUE_BYTES 1000
#define ITEMS_MAX 20

/* ---- message_extension_list ---- */

struct message_extension_list {
    struct message_id id;
    int64_t after;
    struct text as_user;
};

static const struct field message_extension_list_fields[] = {
    FIELD_MESSAGE_ID(struct message_extension_list, id, .from = IN_PATH, .required = true),
    FIELD_INT(struct message_extension_list, after, .from = IN_QUERY, .has_fallback = true),
    FIELD_TEXT(struct message_extension_list, as_user, .from = IN_CALLER),
    FIELD_END,
};

struct extension {
    struct text key;
    struct text value;
    int64_t version;
};

static const struct field extension_list[] = {
    FIELD_TEXT(struct extension, key),
    FIELD_TEXT(struct extension, value),
    FIELD_INT(struct extension, version),
    FIELD_END,
};

static const struct fields extension_fields = FIELDS(extension_list, struct extension);

struct extensions {
    int64_t latest;
    int64_t cleared;
    struct list items;
};

static const struct field extensions_fields[] = {
    FIELD_INT(struct extensions, latest),
    FIELD_INT(struct extensions, cleared),
    FIELD_LIST(struct extensions, items, .of = &extension_fields),
    FIELD_END,
};

const struct operation message_extension_list = {
    .name = "message_extension_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(message_extension_list_fields, struct message_extension_list),
    .out = FIELDS(extensions_fields, struct extensions),
    .refuses = (const enum err_code[]){ERR_MESSAGE_UNKNOWN, ERR_NONE},
};

/* ---- message_extension_patch ---- */

struct extension_item {
    struct text key;
    struct text value;
    int64_t version;
};

static const struct field extension_item_list[] = {
    FIELD_TEXT(struct extension_item, key, .required = true, .min = 1, .max = KEY_BYTES),
    FIELD_TEXT(struct extension_item, value, .max = VALUE_BYTES, .multiline = true),
    FIELD_INT(struct extension_item, version),
    FIELD_END,
};

static const struct fields extension_item_fields =
    FIELDS(extension_item_list, struct extension_item);

struct message_extension_patch {
    struct message_id id;
    bool clear;
    struct list items;
    struct text as_user;
};

static const struct field message_extension_patch_fields[] = {
    FIELD_MESSAGE_ID(struct message_extension_patch, id, .from = IN_PATH, .required = true),
    FIELD_BOOL(struct message_extension_patch, clear, .has_fallback = true),
    FIELD_LIST(
        struct message_extension_patch, items, .max = ITEMS_MAX, .of = &extension_item_fields),
    FIELD_TEXT(struct message_extension_patch, as_user, .from = IN_CALLER),
    FIELD_END,
};

struct extension_result {
    struct text key;
    struct text value;
    int64_t version;
    struct text problem; /* from SQL only its code */
};

static const struct field extension_result_list[] = {
    FIELD_TEXT(struct extension_result, key),
    FIELD_TEXT(struct extension_result, value),
    FIELD_INT(struct extension_result, version),
    FIELD_RAW(struct extension_result, problem, .omit_absent = true),
    FIELD_END,
};

static const struct fields extension_result_fields =
    FIELDS(extension_result_list, struct extension_result);

struct extension_results {
    int64_t latest;
    struct list results;
};

static const struct field extension_results_fields[] = {
    FIELD_INT(struct extension_results, latest),
    FIELD_LIST(struct extension_results, results, .of = &extension_result_fields),
    FIELD_END,
};

static int message_extension_patch_run(struct op *op)
{
    if (store_call_rows(op) != 0)
        return -1;
    problem_tell(op, "items", NULL);
    return 0;
}

const struct operation message_extension_patch = {
    .name = "message_extension_patch",
    .lane = LANE_READER,
    .run = message_extension_patch_run,
    .audit = true,
    .in = FIELDS(message_extension_patch_fields, struct message_extension_patch),
    .out = FIELDS(extension_results_fields, struct extension_results),
    .refuses =
        (const enum err_code[]){
            ERR_MESSAGE_UNKNOWN, ERR_MESSAGE_RECALLED, ERR_NOT_EXTENSIBLE, ERR_EXTENSIONS_FULL,
            ERR_BLOCKED_BY_RECIPIENT, ERR_NOT_FRIENDS, ERR_SENDER_MUTED, ERR_NONE},
};
