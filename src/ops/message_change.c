/* What becomes of a message after it was sent. */
#include "base/op.h"
#include "ops/friend.h"
#include "ops/message.h"
#include "store/store.h"

/* ---- message_edit ---- */

struct message_edit {
    struct message_id id;
    json_t *elements;
    struct text text;
    struct text custom_data;
    struct text as_user;
};

static const struct field message_edit_fields[] = {
    FIELD_MESSAGE_ID(struct message_edit, id, .from = IN_PATH, .required = true),
    FIELD_ELEMENTS(struct message_edit),
    FIELD_CONTENT(struct message_edit, text, .not_column = true),
    FIELD_CUSTOM_DATA(struct message_edit),
    FIELD_TEXT(struct message_edit, as_user, .from = IN_CALLER),
    FIELD_END,
};

/* Null is told from absent here alone: null removes the custom data, as no bytes do. */
static int message_edit_check(struct op *op)
{
    struct message_edit *in = op->in;
    bool has_content = in->elements || text_present(in->text);

    if (json_is_null(json_object_get(op->body, "custom_data")))
        in->custom_data = TEXT("");
    if (!has_content && !text_present(in->custom_data) && op->err->code == ERR_NONE)
        return err_set(op->err, ERR_INVALID_REQUEST, "says nothing that is to be changed");
    if (!has_content)
        return 0;
    if (!text_present(message_content(op->err, "", in->elements, in->text)))
        return -1;
    if (!in->elements)
        in->elements = message_one_element(op, "text", "text", in->text);
    return 0;
}

const struct operation message_edit = {
    .name = "message_edit",
    .lane = LANE_READER,
    .check = message_edit_check,
    .audit = true,
    .in = FIELDS(message_edit_fields, struct message_edit),
    .out = FIELDS(message_list_of_fields, struct message),
    .refuses =
        (const enum err_code[]){
            ERR_MESSAGE_UNKNOWN, ERR_MESSAGE_RECALLED, ERR_EDIT_TOO_LATE, ERR_BLOCKED_BY_RECIPIENT,
            ERR_NOT_FRIENDS, ERR_SENDER_MUTED, ERR_BODY_TOO_LARGE, ERR_NONE},
};

/* ---- message_recall ---- */

struct message_asked {
    struct message_id id;
    struct text as_user;
};

static const struct field message_asked_fields[] = {
    FIELD_MESSAGE_ID(struct message_asked, id, .from = IN_PATH, .required = true),
    FIELD_TEXT(struct message_asked, as_user, .from = IN_CALLER),
    FIELD_END,
};

const struct operation message_recall = {
    .name = "message_recall",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(message_asked_fields, struct message_asked),
    .out = FIELDS(message_list_of_fields, struct message),
    .refuses = (const enum err_code[]){ERR_MESSAGE_UNKNOWN, ERR_RECALL_TOO_LATE, ERR_NONE},
};

/* ---- message_delete ---- */

struct message_delete {
    struct text user;
    struct message_id id;
};

static const struct field message_delete_fields[] = {
    FIELD_USER(struct message_delete),
    FIELD_MESSAGE_ID(struct message_delete, id, .from = IN_PATH, .required = true),
    FIELD_END,
};

const struct operation message_delete = {
    .name = "message_delete",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(message_delete_fields, struct message_delete),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_MESSAGE_UNKNOWN, ERR_NONE},
};

/* ---- delivery_list ---- */

struct device_delivery {
    struct text device;
    int64_t position;
    bool delivered;
};

static const struct field device_delivery_list[] = {
    FIELD_TEXT(struct device_delivery, device),
    FIELD_INT(struct device_delivery, position),
    FIELD_BOOL(struct device_delivery, delivered),
    FIELD_END,
};

static const struct fields device_delivery_fields =
    FIELDS(device_delivery_list, struct device_delivery);

struct deliveries {
    struct text to;
    int64_t stored_at;
    bool read;
    struct list devices;
};

static const struct field deliveries_fields[] = {
    FIELD_TEXT(struct deliveries, to),
    FIELD_TIME(struct deliveries, stored_at),
    FIELD_BOOL(struct deliveries, read),
    FIELD_LIST(struct deliveries, devices, .of = &device_delivery_fields),
    FIELD_END,
};

const struct operation delivery_list = {
    .name = "delivery_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(message_asked_fields, struct message_asked),
    .out = FIELDS(deliveries_fields, struct deliveries),
    .refuses = (const enum err_code[]){ERR_MESSAGE_UNKNOWN, ERR_NONE},
};
