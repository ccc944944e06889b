/* Several messages in one call: to many receivers, or from a past elsewhere. */
#include "base/op.h"
#include "ops/message.h"
#include "ops/problem.h"
#include "store/store.h"

#define BATCH_RECEIVERS_MAX 500
#define IMPORT_MESSAGES_MAX 100

/* ---- message_batch ---- */

struct message_batch {
    struct text from;
    struct list to;
    json_t *elements;
    struct text text;
    struct text custom_data;
    struct text client_id;
    struct message_push push;
    struct message_options options;
    struct text sent_by;
    bool validate_only;
    struct text idempotency_key;
};

static const struct field message_batch_fields[] = {
    FIELD_TEXT(struct message_batch, from, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_TEXTS(
        struct message_batch,
        to,
        .required = true,
        .min = 1,
        .max = BATCH_RECEIVERS_MAX,
        .max_value_bytes = USER_ID_BYTES,
        .one_by_one = true),
    FIELD_ELEMENTS(struct message_batch),
    FIELD_CONTENT(struct message_batch, text, .not_column = true),
    FIELD_CUSTOM_DATA(struct message_batch),
    FIELD_CLIENT_ID(struct message_batch),
    FIELD_OBJECT(struct message_batch, push, struct message_push, .of = &message_push_fields),
    FIELD_OBJECT(
        struct message_batch, options, struct message_options, .of = &message_options_fields),
    FIELD_TEXT(struct message_batch, sent_by, .from = IN_CALLER),
    FIELD_VALIDATE_ONLY(struct message_batch),
    FIELD_IDEMPOTENCY_KEY(struct message_batch),
    FIELD_END,
};

struct batch_result {
    struct text to;
    int64_t status;
    struct message message;
    struct text problem; /* from SQL only its code */
};

static const struct field batch_result_fields[] = {
    FIELD_TEXT(struct batch_result, to),
    FIELD_INT(struct batch_result, status),
    FIELD_OBJECT(
        struct batch_result, message, struct message, .of = &message_fields, .omit_absent = true),
    FIELD_RAW(struct batch_result, problem, .omit_absent = true),
    FIELD_END,
};

static const struct fields batch_result_table = FIELDS(batch_result_fields, struct batch_result);

struct batch_results {
    struct list results;
};

static const struct field batch_results_fields[] = {
    FIELD_LIST(struct batch_results, results, .of = &batch_result_table),
    FIELD_END,
};

static const char *what_is_wrong(const struct message_batch *in, size_t i)
{
    const struct text *to = in->to.items;

    if (text_equal(to[i], in->from))
        return "is the sender itself";
    for (size_t j = 0; j < i; j++)
        if (text_equal(to[i], to[j]))
            return "stands there twice";
    return NULL;
}

/* Each receiver once, and not the sender. */
static int check_receivers(struct op *op, struct message_batch *in)
{
    for (size_t i = in->to.n_items; i-- > 0;) {
        const char *wrong = what_is_wrong(in, i);
        struct err err;
        if (!wrong)
            continue;
        err_init(&err, op->arena);
        err_field(
            &err, ERR_INVALID_REQUEST, arena_printf(op->arena, "/to/%zu", list_place(&in->to, i)),
            "%s", wrong);
        list_leave_out(&in->to, i, sizeof(struct text), &err);
    }
    return list_must_hold(&in->to, op->err);
}

static int message_batch_check(struct op *op)
{
    struct message_batch *in = op->in;
    int result = check_receivers(op, in);

    if (!text_present(message_content(op->err, "", in->elements, in->text)))
        result = -1;
    if (result == 0 && !in->elements)
        in->elements = message_one_element(op, "text", "text", in->text);
    /* A user's own token never gets round the receivers' wishes. */
    in->options.enforce_policy |= caller_is_user(&op->caller);
    return result;
}

static int message_batch_run(struct op *op)
{
    const struct message_batch *in = op->in;

    if (store_call_rows(op) != 0)
        return -1;
    const struct batch_results *out = op->out;
    struct batch_result *results = out->results.items;
    for (size_t i = 0; in->validate_only && i < out->results.n_items; i++)
        results[i].message.id = (struct message_id){0};
    problem_tell(op, "to", "to");
    return 0;
}

const struct operation message_batch = {
    .name = "message_batch",
    .lane = LANE_READER,
    .check = message_batch_check,
    .run = message_batch_run,
    .audit = true,
    .in = FIELDS(message_batch_fields, struct message_batch),
    .out = FIELDS(batch_results_fields, struct batch_results),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_BODY_TOO_LARGE, ERR_NONE},
};

/* ---- message_import ---- */

struct import_item {
    struct text from;
    struct text to;
    json_t *elements;
    struct text text;
    struct text custom_data;
    struct text client_id;
    int64_t sent_at;
};

static const struct field import_item_fields[] = {
    FIELD_TEXT(struct import_item, from, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_TEXT(struct import_item, to, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_ELEMENTS(struct import_item),
    FIELD_CONTENT(struct import_item, text),
    FIELD_CUSTOM_DATA(struct import_item),
    FIELD_CLIENT_ID(struct import_item),
    FIELD_TIME(struct import_item, sent_at, .required = true),
    FIELD_END,
};

static const struct fields import_item_table = FIELDS(import_item_fields, struct import_item);

static int check_import_item(struct err *err, const char *pointer, const void *item)
{
    const struct import_item *message = item;
    int users = message_check_users(err, pointer, message->from, message->to);
    struct text content = message_content(err, pointer, message->elements, message->text);

    return users == 0 && text_present(content) ? 0 : -1;
}

struct message_import {
    struct list messages;
    struct text sent_by;
    bool validate_only;
    struct text idempotency_key;
};

static const struct field message_import_fields[] = {
    FIELD_LIST(
        struct message_import,
        messages,
        .required = true,
        .min = 1,
        .max = IMPORT_MESSAGES_MAX,
        .of = &import_item_table,
        .one_by_one = true,
        .check_item = check_import_item),
    FIELD_TEXT(struct message_import, sent_by, .from = IN_CALLER),
    FIELD_VALIDATE_ONLY(struct message_import),
    FIELD_IDEMPOTENCY_KEY(struct message_import),
    FIELD_END,
};

struct import_result {
    int64_t status;
    struct message_id id;
    struct text problem; /* from SQL only its code */
};

static const struct field import_result_fields[] = {
    FIELD_INT(struct import_result, status),
    FIELD_MESSAGE_ID(struct import_result, id, .omit_absent = true),
    FIELD_RAW(struct import_result, problem, .omit_absent = true),
    FIELD_END,
};

static const struct fields import_result_table = FIELDS(import_result_fields, struct import_result);

struct import_results {
    struct list results;
};

static const struct field import_results_fields[] = {
    FIELD_LIST(struct import_results, results, .of = &import_result_table),
    FIELD_END,
};

static int message_import_run(struct op *op)
{
    const struct message_import *in = op->in;

    if (store_call_rows(op) != 0)
        return -1;
    const struct import_results *out = op->out;
    struct import_result *results = out->results.items;
    for (size_t i = 0; in->validate_only && i < out->results.n_items; i++)
        results[i].id = (struct message_id){0};
    problem_tell(op, "messages", NULL);
    return 0;
}

const struct operation message_import = {
    .name = "message_import",
    .lane = LANE_READER,
    .run = message_import_run,
    .audit = true,
    .in = FIELDS(message_import_fields, struct message_import),
    .out = FIELDS(import_results_fields, struct import_results),
    .refuses = (const enum err_code[]){ERR_BODY_TOO_LARGE, ERR_NONE},
};
