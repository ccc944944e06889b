/* What a user has with each other user: the last message, what is unread, pins. */
#include "base/clock.h"
#include "base/op.h"
#include "ops/friend.h"
#include "ops/message.h"
#include "store/slices.h"
#include "store/store.h"

struct conversation {
    struct text peer;
    struct profile peer_profile;
    struct message last_message;
    int64_t unread;
    int64_t read_up_to;
    int64_t peer_read_up_to;
    bool pinned;
    bool muted;
    struct list groups;
    struct text marks;
    struct text custom_mark;
};

static const struct field conversation_list_of_fields[] = {
    FIELD_TEXT(struct conversation, peer),
    FIELD_OBJECT(struct conversation, peer_profile, struct profile, .of = &profile_fields),
    FIELD_OBJECT(
        struct conversation,
        last_message,
        struct message,
        .of = &message_fields,
        .omit_absent = true),
    FIELD_INT(struct conversation, unread),
    FIELD_TIME(struct conversation, read_up_to),
    FIELD_TIME(struct conversation, peer_read_up_to),
    FIELD_BOOL(struct conversation, pinned),
    FIELD_BOOL(struct conversation, muted),
    FIELD_TEXTS(struct conversation, groups),
    FIELD_TEXT(struct conversation, marks),
    FIELD_TEXT(struct conversation, custom_mark),
    FIELD_END,
};

static const struct fields conversation_fields =
    FIELDS(conversation_list_of_fields, struct conversation);

static const enum err_code refuses_user[] = {ERR_USER_UNKNOWN, ERR_NONE};

/* ---- conversation_list ---- */

struct conversation_list {
    struct text user;
};

static const struct field conversation_list_fields[] = {
    FIELD_USER(struct conversation_list),
    FIELD_END,
};

struct conversations {
    struct list items;
};

static const struct field conversations_fields[] = {
    FIELD_LIST(struct conversations, items, .of = &conversation_fields),
    FIELD_END,
};

const struct operation conversation_list = {
    .name = "conversation_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(conversation_list_fields, struct conversation_list),
    .out = FIELDS(conversations_fields, struct conversations),
    .refuses = refuses_user,
};

/* ---- conversation_marked_list ---- */

struct conversation_marked_list {
    struct text user;
    struct text cursor;
    int64_t limit;
};

static const struct field conversation_marked_list_fields[] = {
    FIELD_USER(struct conversation_marked_list),
    FIELD_CURSOR(struct conversation_marked_list),
    FIELD_LIMIT(struct conversation_marked_list),
    FIELD_END,
};

struct marked_page {
    struct list items;
    struct text next_cursor;
};

static const struct field marked_page_fields[] = {
    FIELD_LIST(struct marked_page, items, .of = &conversation_fields),
    FIELD_NEXT_CURSOR(struct marked_page),
    FIELD_END,
};

const struct operation conversation_marked_list = {
    .name = "conversation_marked_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(conversation_marked_list_fields, struct conversation_marked_list),
    .out = FIELDS(marked_page_fields, struct marked_page),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_CURSOR_INVALID, ERR_NONE},
};

/* ---- conversation_get ---- */

const struct operation conversation_get = {
    .name = "conversation_get",
    .lane = LANE_READER,
    .check = user_pair_check,
    .in = FIELDS(user_pair_fields, struct user_pair),
    .out = FIELDS(conversation_list_of_fields, struct conversation),
    .refuses = refuses_user,
};

/* ---- conversation_patch ---- */

#define MARKS_MAX 64
#define CONVERSATION_GROUPS_MAX 20

struct conversation_patch {
    struct text user;
    struct text peer;
    bool pinned;
    bool muted;
    struct list groups;
    struct text marks;
    struct text custom_mark;
};

static const struct field conversation_patch_fields[] = {
    FIELD_USER(struct conversation_patch),
    FIELD_PEER(struct conversation_patch),
    FIELD_BOOL(struct conversation_patch, pinned),
    FIELD_BOOL(struct conversation_patch, muted),
    FIELD_TEXTS(
        struct conversation_patch, groups, .max = CONVERSATION_GROUPS_MAX, .max_value_bytes = 64),
    FIELD_TEXT(struct conversation_patch, marks, .max = MARKS_MAX),
    FIELD_TEXT(struct conversation_patch, custom_mark, .max = 256),
    FIELD_END,
};

static int conversation_patch_check(struct op *op)
{
    const struct conversation_patch *in = op->in;
    int result = check_two_users(op->err, in->user, in->peer, "/peer");

    for (size_t i = 0; i < in->marks.len; i++)
        if (in->marks.ptr[i] != '0' && in->marks.ptr[i] != '1')
            result = err_field(
                op->err, ERR_INVALID_REQUEST, "/marks", "may only hold the characters 0 and 1");
    return result;
}

const struct operation conversation_patch = {
    .name = "conversation_patch",
    .lane = LANE_READER,
    .check = conversation_patch_check,
    .audit = true,
    .in = FIELDS(conversation_patch_fields, struct conversation_patch),
    .merge_patch = true,
    .out = FIELDS(conversation_list_of_fields, struct conversation),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_GROUP_UNKNOWN, ERR_NONE},
};

/* ---- conversation_delete ---- */

struct conversation_delete {
    struct text user;
    struct text peer;
    bool messages;
};

static const struct field conversation_delete_fields[] = {
    FIELD_USER(struct conversation_delete),
    FIELD_PEER(struct conversation_delete),
    FIELD_BOOL(struct conversation_delete, messages, .from = IN_QUERY, .has_fallback = true),
    FIELD_END,
};

static int conversation_delete_run(struct op *op)
{
    const struct conversation_delete *in = op->in;

    if (store_call_one(op) != 0)
        return -1;
    return in->messages ? store_conversation_clear(op, in->user, in->peer) : 0;
}

const struct operation conversation_delete = {
    .name = "conversation_delete",
    .lane = LANE_READER,
    .run = conversation_delete_run,
    .audit = true,
    .in = FIELDS(conversation_delete_fields, struct conversation_delete),
    .refuses = refuses_user,
};

/* ---- conversation_read ---- */

struct conversation_read {
    struct text user;
    struct text peer;
    struct text up_to; /* one of the two that follow */
    struct message_id up_to_id;
    int64_t up_to_at;
};

static const struct field conversation_read_fields[] = {
    FIELD_USER(struct conversation_read),
    FIELD_PEER(struct conversation_read),
    FIELD_TEXT(
        struct conversation_read,
        up_to,
        .required = true,
        .min = 1,
        .max = MESSAGE_ID_TEXT,
        .not_column = true),
    FIELD_MESSAGE_ID(struct conversation_read, up_to_id, .from = IN_CHECK),
    FIELD_TIME(struct conversation_read, up_to_at, .from = IN_CHECK),
    FIELD_END,
};

static int conversation_read_check(struct op *op)
{
    struct conversation_read *in = op->in;
    int result = check_two_users(op->err, in->user, in->peer, "/peer");

    if (clock_from_text(in->up_to, &in->up_to_at))
        return result;
    in->up_to_at = FIELD_ABSENT;
    if (message_id_from_text(in->up_to, &in->up_to_id))
        return result;
    return err_field(op->err, ERR_MESSAGE_UNKNOWN, "/up_to", "is neither a message nor a time");
}

struct conversation_mark {
    struct text peer;
    int64_t read_up_to;
    int64_t unread;
};

static const struct field conversation_mark_fields[] = {
    FIELD_TEXT(struct conversation_mark, peer),
    FIELD_TIME(struct conversation_mark, read_up_to),
    FIELD_INT(struct conversation_mark, unread),
    FIELD_END,
};

const struct operation conversation_read = {
    .name = "conversation_read",
    .lane = LANE_READER,
    .check = conversation_read_check,
    .audit = true,
    .in = FIELDS(conversation_read_fields, struct conversation_read),
    .out = FIELDS(conversation_mark_fields, struct conversation_mark),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_MESSAGE_UNKNOWN, ERR_NONE},
};

/* ---- unread_get ---- */

struct unread {
    struct text peer;
    int64_t unread;
};

static const struct field unread_list[] = {
    FIELD_TEXT(struct unread, peer),
    FIELD_INT(struct unread, unread),
    FIELD_END,
};

static const struct fields unread_fields = FIELDS(unread_list, struct unread);

struct unread_total {
    int64_t total;
    struct list items;
};

static const struct field unread_total_fields[] = {
    FIELD_INT(struct unread_total, total),
    FIELD_LIST(struct unread_total, items, .of = &unread_fields),
    FIELD_END,
};

const struct operation unread_get = {
    .name = "unread_get",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(conversation_list_fields, struct conversation_list),
    .out = FIELDS(unread_total_fields, struct unread_total),
    .refuses = refuses_user,
};
