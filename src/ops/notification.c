/* Notifications: one message to many users, delivered by a job. */
#include "base/op.h"
#include "ops/message.h"
#include "store/store.h"

#define NOTIFICATION_USERS_MAX 1000
#define NOTIFICATION_TAGS_MAX 16
#define NOTIFICATION_ID_BYTES 18
#define RATE_MOST 100000
#define EXPIRES_SECONDS_MOST 2592000 /* 30 days */

static const char *const kinds[] = {"system", "custom_system", NULL};
static const char *const states[] = {"waiting", "running",   "paused",   "done",
                                     "expired", "cancelled", "recalled", NULL};

/* ---- what calls show ---- */

/* Of each notification, alone and in the list. */
#define PROGRESS_MEMBERS                                                                           \
    struct text id;                                                                                \
    struct text state;                                                                             \
    struct text from;                                                                              \
    struct text kind;                                                                              \
    int64_t total;                                                                                 \
    int64_t delivered;                                                                             \
    int64_t failed;                                                                                \
    int64_t recalled;                                                                              \
    double rate;                                                                                   \
    int64_t seconds_left;                                                                          \
    int64_t rate_per_second;                                                                       \
    int64_t send_at;                                                                               \
    int64_t expires_at;                                                                            \
    int64_t include_new_users_until;                                                               \
    struct text created_by;                                                                        \
    int64_t created_at;                                                                            \
    int64_t started_at;                                                                            \
    int64_t finished_at;                                                                           \
    int64_t recalled_at

#define PROGRESS_FIELDS(type)                                                                      \
    FIELD_TEXT(type, id), FIELD_TEXT(type, state, .one_of = states), FIELD_TEXT(type, from),       \
        FIELD_TEXT(type, kind, .one_of = kinds), FIELD_INT(type, total),                           \
        FIELD_INT(type, delivered), FIELD_INT(type, failed), FIELD_INT(type, recalled),            \
        FIELD_REAL(type, rate), FIELD_INT(type, seconds_left), FIELD_INT(type, rate_per_second),   \
        FIELD_TIME(type, send_at), FIELD_TIME(type, expires_at),                                   \
        FIELD_TIME(type, include_new_users_until), FIELD_TEXT(type, created_by),                   \
        FIELD_TIME(type, created_at), FIELD_TIME(type, started_at), FIELD_TIME(type, finished_at), \
        FIELD_TIME(type, recalled_at)

struct progress {
    PROGRESS_MEMBERS;
};

static const struct field progress_list[] = {PROGRESS_FIELDS(struct progress), FIELD_END};

static const struct fields progress_fields = FIELDS(progress_list, struct progress);

struct notification {
    PROGRESS_MEMBERS;
    struct text to; /* JSON */
    struct text elements;
    struct text custom_data;
};

#define NOTIFICATION_FIELDS(type)                                                                  \
    PROGRESS_FIELDS(type), FIELD_RAW(type, to),                                                    \
        FIELD_RAW(type, elements, .variants = element_types), FIELD_TEXT(type, custom_data)

static const struct field notification_fields[] = {
    NOTIFICATION_FIELDS(struct notification), FIELD_END};

/* ---- notification_send ---- */

struct audience {
    struct list users;
    bool all;
    struct list tags_any;
    struct list tags_all;
};

static const struct field audience_list[] = {
    FIELD_TEXTS(
        struct audience,
        users,
        .min = 1,
        .max = NOTIFICATION_USERS_MAX,
        .max_value_bytes = USER_ID_BYTES),
    FIELD_BOOL(struct audience, all, .not_column = true, .has_fallback = true),
    FIELD_TEXTS(
        struct audience,
        tags_any,
        .min = 1,
        .max = NOTIFICATION_TAGS_MAX,
        .max_value_bytes = TAG_BYTES),
    FIELD_TEXTS(
        struct audience,
        tags_all,
        .min = 1,
        .max = NOTIFICATION_TAGS_MAX,
        .max_value_bytes = TAG_BYTES),
    FIELD_END,
};

static const struct fields audience_fields = FIELDS(audience_list, struct audience);

struct notification_options {
    int64_t store_seconds;
    bool count_unread;
    bool update_recents;
    bool push;
};

static const struct field notification_options_list[] = {
    FIELD_INT(
        struct notification_options,
        store_seconds,
        .max = MESSAGE_KEPT_SECONDS,
        .fallback = MESSAGE_KEPT_SECONDS,
        .has_fallback = true),
    FIELD_BOOL(struct notification_options, count_unread, .fallback = true, .has_fallback = true),
    FIELD_BOOL(struct notification_options, update_recents, .fallback = true, .has_fallback = true),
    FIELD_BOOL(struct notification_options, push, .fallback = true, .has_fallback = true),
    FIELD_END,
};

static const struct fields notification_options_fields =
    FIELDS(notification_options_list, struct notification_options);

struct notification_send {
    struct text from;
    struct audience to;
    struct text kind;
    json_t *elements;
    struct text text;
    struct text payload;
    struct text custom_data;
    struct message_push push;
    struct notification_options options;
    int64_t rate_per_second;
    int64_t send_at;
    int64_t expires_in_seconds;
    int64_t include_new_users_until;
    bool validate_only;
    struct text created_by;
    struct text idempotency_key;
};

static const struct field notification_send_fields[] = {
    FIELD_TEXT(struct notification_send, from, .min = 1, .max = USER_ID_BYTES),
    FIELD_OBJECT(
        struct notification_send, to, struct audience, .required = true, .of = &audience_fields),
    FIELD_TEXT(struct notification_send, kind, .one_of = kinds, .fallback_text = "system"),
    FIELD_ELEMENTS(struct notification_send),
    FIELD_CONTENT(struct notification_send, text, .not_column = true),
    FIELD_CONTENT(struct notification_send, payload, .not_column = true),
    FIELD_CUSTOM_DATA(struct notification_send),
    FIELD_OBJECT(struct notification_send, push, struct message_push, .of = &message_push_fields),
    FIELD_OBJECT(
        struct notification_send,
        options,
        struct notification_options,
        .of = &notification_options_fields),
    FIELD_INT(struct notification_send, rate_per_second, .min = 1, .max = RATE_MOST),
    FIELD_TIME(struct notification_send, send_at),
    FIELD_INT(struct notification_send, expires_in_seconds, .min = 1, .max = EXPIRES_SECONDS_MOST),
    FIELD_TIME(struct notification_send, include_new_users_until),
    FIELD_BOOL(struct notification_send, validate_only, .from = IN_QUERY, .has_fallback = true),
    FIELD_TEXT(struct notification_send, created_by, .from = IN_CALLER),
    FIELD_IDEMPOTENCY_KEY(struct notification_send),
    FIELD_END,
};

struct sent {
    PROGRESS_MEMBERS;
    struct text to;
    struct text elements;
    struct text custom_data;
    struct list sample;
};

static const struct field sent_fields[] = {
    NOTIFICATION_FIELDS(struct sent), FIELD_TEXTS(struct sent, sample, .omit_absent = true),
    FIELD_END};

static int check_audience(struct op *op, const struct audience *to)
{
    bool by_tags = to->tags_any.items || to->tags_all.items;
    int n = (to->users.items ? 1 : 0) + (to->all ? 1 : 0) + (by_tags ? 1 : 0);

    if (n != 1)
        return err_field(
            op->err, ERR_INVALID_REQUEST, "/to",
            "names users, or all, or tags: one of these three");
    return 0;
}

/* `text` and `payload` stand for one element. */
static int check_body(struct op *op, struct notification_send *in)
{
    bool text = text_present(in->text);
    bool payload = text_present(in->payload);
    const char *pointer = in->elements ? "/elements" : text ? "/text" : "/payload";

    if (err_names(op->err, "/text") || err_names(op->err, "/payload"))
        return -1;
    if ((in->elements ? 1 : 0) + (text ? 1 : 0) + (payload ? 1 : 0) != 1)
        return err_field(
            op->err, ERR_INVALID_REQUEST, "/elements",
            "or text, or payload: one of these three is to be given");
    if (!in->elements)
        in->elements = text ? message_one_element(op, "text", "text", in->text)
                            : message_one_element(op, "custom", "data", in->payload);
    return text_present(message_elements(op->err, pointer, in->elements, TEXT_ABSENT)) ? 0 : -1;
}

static int notification_send_check(struct op *op)
{
    struct notification_send *in = op->in;

    in->created_by = op->caller.subject;
    int audience = check_audience(op, &in->to);
    int body = check_body(op, in);
    if (in->to.users.items && in->include_new_users_until != FIELD_ABSENT)
        return err_field(
            op->err, ERR_INVALID_REQUEST, "/include_new_users_until",
            "goes with all or tags: those listed are all there are");
    return audience == 0 && body == 0 ? 0 : -1;
}

const struct operation notification_send = {
    .name = "notification_send",
    .lane = LANE_READER,
    .check = notification_send_check,
    .audit = true,
    .in = FIELDS(notification_send_fields, struct notification_send),
    .out = FIELDS(sent_fields, struct sent),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_BODY_TOO_LARGE, ERR_NONE},
};

/* ---- one that is there ---- */

struct notification_of {
    struct text notification;
    struct text idempotency_key; /* of a change by POST alone */
};

#define FIELD_NOTIFICATION                                                                         \
    FIELD_TEXT(                                                                                    \
        struct notification_of, notification, .from = IN_PATH, .required = true, .min = 1,         \
        .max = NOTIFICATION_ID_BYTES, .visible_ascii = true)

static const struct field notification_of_fields[] = {
    FIELD_NOTIFICATION,
    FIELD_END,
};

static const struct field notification_change_fields[] = {
    FIELD_NOTIFICATION,
    FIELD_IDEMPOTENCY_KEY(struct notification_of),
    FIELD_END,
};

const struct operation notification_get = {
    .name = "notification_get",
    .lane = LANE_READER,
    .in = FIELDS(notification_of_fields, struct notification_of),
    .out = FIELDS(notification_fields, struct notification),
    .refuses = (const enum err_code[]){ERR_NOTIFICATION_UNKNOWN, ERR_NONE},
};

/* To repeat the last of these changes nothing more; an earlier one may undo another's by then. */
#define NOTIFICATION_CHANGE(verb, fields, ...)                                                     \
    const struct operation notification_##verb = {                                                 \
        .name = "notification_" #verb,                                                             \
        .lane = LANE_READER,                                                                       \
        .audit = true,                                                                             \
        .in = FIELDS(fields, struct notification_of),                                              \
        .out = FIELDS(notification_fields, struct notification),                                   \
        .refuses = (const enum err_code[]){ERR_NOTIFICATION_UNKNOWN, __VA_ARGS__},                 \
    }

NOTIFICATION_CHANGE(cancel, notification_of_fields, ERR_NOTIFICATION_FINISHED, ERR_NONE);
NOTIFICATION_CHANGE(pause, notification_change_fields, ERR_NOTIFICATION_FINISHED, ERR_NONE);
NOTIFICATION_CHANGE(resume, notification_change_fields, ERR_NOTIFICATION_FINISHED, ERR_NONE);
NOTIFICATION_CHANGE(recall, notification_change_fields, ERR_NONE);

/* ---- notification_list ---- */

struct notification_list {
    struct text cursor;
    int64_t limit;
};

static const struct field notification_list_fields[] = {
    FIELD_CURSOR(struct notification_list),
    FIELD_LIMIT(struct notification_list),
    FIELD_END,
};

struct notification_page {
    struct list items;
    struct text next_cursor;
};

static const struct field notification_page_fields[] = {
    FIELD_LIST(struct notification_page, items, .of = &progress_fields),
    FIELD_NEXT_CURSOR(struct notification_page),
    FIELD_END,
};

const struct operation notification_list = {
    .name = "notification_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(notification_list_fields, struct notification_list),
    .out = FIELDS(notification_page_fields, struct notification_page),
    .refuses = (const enum err_code[]){ERR_CURSOR_INVALID, ERR_NONE},
};
