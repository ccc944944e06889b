#include "ops/message.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/op.h"
#include "ops/services.h"

static const char *const kinds[] = {"chat", "system", "custom_system", NULL};
static const char *const states[] = {"sent", "recalled", NULL};

#define MESSAGE_MEMBERS                                                                            \
    FIELD_MESSAGE_ID(struct message, id), FIELD_TEXT(struct message, from),                        \
        FIELD_TEXT(struct message, to), FIELD_TEXT(struct message, kind, .one_of = kinds),         \
        FIELD_RAW(struct message, elements, .variants = element_types),                            \
        FIELD_TEXT(struct message, custom_data), FIELD_TIME(struct message, sent_at),              \
        FIELD_TEXT(struct message, sent_by),                                                       \
        FIELD_OBJECT(                                                                              \
            struct message, sender_profile, struct sender_profile, .of = &sender_profile_fields),  \
        FIELD_TEXT(struct message, state, .one_of = states),                                       \
        FIELD_TIME(struct message, edited_at),

const struct field message_list_of_fields[] = {
    MESSAGE_MEMBERS FIELD_END,
};

const struct fields message_fields = FIELDS(message_list_of_fields, struct message);

/* ---- what a message says ---- */

int message_check_users(struct err *err, const char *prefix, struct text from, struct text to)
{
    if (!text_present(from) || !text_equal(from, to))
        return 0;
    return err_field(
        err, ERR_INVALID_REQUEST, arena_printf(err->arena, "%s/to", prefix),
        "is the sender itself");
}

static int check_one_is_given(
    struct err *err, const char *prefix, const json_t *elements, struct text text)
{
    if (elements && text_present(text))
        return err_field(
            err, ERR_INVALID_REQUEST, arena_printf(err->arena, "%s/text", prefix),
            "stands in place of elements: give one of them");
    if (elements || text_present(text))
        return 0;
    if (err_names(err, arena_printf(err->arena, "%s/text", prefix)))
        return -1;
    return err_field(
        err, ERR_INVALID_REQUEST, arena_printf(err->arena, "%s/elements", prefix), "is missing");
}

/* Absent where it is too long. */
static struct text write_elements(struct arena *arena, const json_t *elements, struct text text)
{
    buf_auto json = BUF(MESSAGE_ELEMENTS_BYTES);

    if (elements) {
        json_write_tree(&json, elements);
    } else {
        buf_text(&json, TEXT("[{\"type\":\"text\",\"text\":"));
        json_write_text(&json, text);
        buf_text(&json, TEXT("}]"));
    }
    return json.failed ? TEXT_ABSENT : arena_text(arena, buf_as_text(&json));
}

static void too_long(struct err *err, const char *pointer)
{
    err_field(
        err, ERR_BODY_TOO_LARGE, pointer, "makes more than %d bytes of JSON, with all escapes",
        MESSAGE_ELEMENTS_BYTES);
}

struct text message_elements(
    struct err *err, const char *pointer, const json_t *elements, struct text text)
{
    struct text json = write_elements(err->arena, elements, text);

    if (!text_present(json))
        too_long(err, pointer);
    return json;
}

struct text message_content(
    struct err *err, const char *prefix, const json_t *elements, struct text text)
{
    if (check_one_is_given(err, prefix, elements, text) != 0)
        return TEXT_ABSENT;
    struct text json = write_elements(err->arena, elements, text);
    if (!text_present(json))
        too_long(err, arena_printf(err->arena, "%s/%s", prefix, elements ? "elements" : "text"));
    return json;
}

static void release_json(void *json)
{
    json_decref(json);
}

json_t *message_one_element(struct op *op, const char *type, const char *name, struct text text)
{
    json_t *elements = json_pack("[{s:s, s:s%}]", "type", type, name, text.ptr, text.len);

    arena_defer(op->arena, release_json, elements);
    return elements;
}

/* ---- message_send ---- */

static const struct field message_push_list[] = {
    FIELD_TEXT(struct message_push, title, .max = 256, .omit_absent = true),
    FIELD_TEXT(struct message_push, body, .max = 1024, .multiline = true, .omit_absent = true),
    FIELD_TEXT(struct message_push, extension, .max = 2048, .multiline = true, .omit_absent = true),
    FIELD_JSON(struct message_push, vendor, .from = IN_INNER, .omit_absent = true),
    FIELD_END,
};

const struct fields message_push_fields = FIELDS(message_push_list, struct message_push);

static const struct field message_options_list[] = {
    FIELD_INT(
        struct message_options,
        store_seconds,
        .max = MESSAGE_KEPT_SECONDS,
        .fallback = MESSAGE_KEPT_SECONDS,
        .has_fallback = true),
    FIELD_BOOL(struct message_options, sync_to_sender, .fallback = true, .has_fallback = true),
    FIELD_BOOL(struct message_options, count_unread, .fallback = true, .has_fallback = true),
    FIELD_BOOL(struct message_options, update_recents, .fallback = true, .has_fallback = true),
    FIELD_BOOL(struct message_options, push, .fallback = true, .has_fallback = true),
    FIELD_BOOL(struct message_options, enforce_policy, .has_fallback = true),
    FIELD_BOOL(struct message_options, extensible, .has_fallback = true),
    FIELD_END,
};

const struct fields message_options_fields = FIELDS(message_options_list, struct message_options);

struct message_send {
    struct text from;
    struct text to;
    json_t *elements;
    struct text text;
    struct text custom_data;
    struct text client_id;
    struct message_push push;
    struct message_options options;
    bool validate_only;
    struct text idempotency_key;
    struct text written; /* no field: what it says, as JSON */
};

static const struct field message_send_fields[] = {
    FIELD_TEXT(struct message_send, from, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_TEXT(struct message_send, to, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_ELEMENTS(struct message_send),
    FIELD_CONTENT(struct message_send, text),
    FIELD_CUSTOM_DATA(struct message_send),
    FIELD_CLIENT_ID(struct message_send),
    FIELD_OBJECT(struct message_send, push, struct message_push, .of = &message_push_fields),
    FIELD_OBJECT(
        struct message_send, options, struct message_options, .of = &message_options_fields),
    FIELD_VALIDATE_ONLY(struct message_send),
    FIELD_IDEMPOTENCY_KEY(struct message_send),
    FIELD_END,
};

static int message_send_check(struct op *op)
{
    struct message_send *in = op->in;
    int result = message_check_users(op->err, "", in->from, in->to);

    in->written = message_content(op->err, "", in->elements, in->text);
    if (!text_present(in->written))
        result = -1;
    /* A user's own token never gets round the receiver's wishes. */
    in->options.enforce_policy |= caller_is_user(&op->caller);
    return result;
}

static struct text push_text(struct op *op, const struct message_push *push)
{
    bool any = text_present(push->title) || text_present(push->body) ||
               text_present(push->extension) || push->vendor;

    if (!any)
        return TEXT_ABSENT;
    buf_auto json = BUF(FIELD_TEXT_BYTES);
    fields_encode(&message_push_fields, push, &json);
    return arena_text(op->arena, buf_as_text(&json));
}

static int64_t option_bits(const struct message_options *options)
{
    return (options->sync_to_sender ? SEND_SYNC_TO_SENDER : 0) |
           (options->count_unread ? SEND_COUNT_UNREAD : 0) |
           (options->update_recents ? SEND_UPDATE_RECENTS : 0) | (options->push ? SEND_PUSH : 0) |
           (options->enforce_policy ? SEND_ENFORCE_POLICY : 0) |
           (options->extensible ? SEND_EXTENSIBLE : 0);
}

static void show_message(struct op *op, const struct send *send)
{
    const struct message_send *in = op->in;
    struct message *out = op->out;

    *out = (struct message){
        .id = send->id,
        .from = in->from,
        .to = in->to,
        .kind = TEXT("chat"),
        .elements = send->elements,
        .custom_data = in->custom_data,
        .sent_at = send->id.sent_at,
        .sent_by = op->caller.subject,
        .sender_profile = {send->sender_nick, send->sender_avatar_url, false},
        .state = TEXT("sent"),
        .edited_at = FIELD_ABSENT,
    };
}

/* The message as an earlier request has stored it. */
static void show_stored(struct op *op, const struct send *send)
{
    struct message *out = op->out;

    out->elements = send->stored_elements;
    out->custom_data = send->stored_custom_data;
    out->sent_by = send->stored_sent_by;
    out->state = send->stored_state;
    out->edited_at = send->stored_edited_at;
    op->found = true;
    op->replayed = true;
}

/* Nothing has this id, and nothing was made. */
static void show_nothing_made(struct op *op)
{
    struct message *out = op->out;

    out->id = (struct message_id){0};
    op->found = true;
}

static void message_send_done(struct send *send, int result)
{
    struct op *op = send->owner;

    op->database_us = send->database_us;
    if (result == 0) {
        show_message(op, send);
        if (send->replayed)
            show_stored(op, send);
        if (send->rehearsal)
            show_nothing_made(op);
    }
    op->done(op, result);
}

static int message_send_run(struct op *op)
{
    const struct message_send *in = op->in;
    struct send *send = arena_alloc(op->arena, sizeof(*send));

    *send = (struct send){
        .from = in->from,
        .to = in->to,
        .elements = in->written,
        .custom_data = in->custom_data,
        .push = push_text(op, &in->push),
        .client_id = in->client_id,
        .sent_by = op->caller.subject,
        .issued_at_s =
            caller_is_user(&op->caller) ? op->caller.issued_at_us / USEC_PER_SEC : SEND_BY_BACK_END,
        .device = op->caller.device,
        .idempotency_key = in->idempotency_key,
        .caller = caller_of_keys(&op->caller, op->arena),
        .store_seconds = in->options.store_seconds,
        .options = option_bits(&in->options),
        .deadline_us = op->deadline_us,
        .arena = op->arena,
        .err = op->err,
        .done = message_send_done,
        .rehearsal = in->validate_only,
        .owner = op,
    };
    if (text_present(in->idempotency_key))
        send->request_hash = digest_of_request(TEXT_ABSENT, op->body, op->arena);
    return store_send(op->services->store, send);
}

const struct operation message_send = {
    .name = "message_send",
    .lane = LANE_SENDER,
    .check = message_send_check,
    .run = message_send_run,
    .in = FIELDS(message_send_fields, struct message_send),
    .out = FIELDS(message_list_of_fields, struct message),
    .refuses =
        (const enum err_code[]){
            ERR_USER_UNKNOWN, ERR_BLOCKED_BY_RECIPIENT, ERR_NOT_FRIENDS, ERR_SENDER_MUTED,
            ERR_BODY_TOO_LARGE, ERR_IDEMPOTENCY_KEY_REUSED, ERR_NONE},
    .location = "/v1/messages/{id}",
};

/* ---- message_get ---- */

struct message_get {
    struct message_id id;
    struct text as_user;
};

static const struct field message_get_fields[] = {
    FIELD_MESSAGE_ID(struct message_get, id, .from = IN_PATH, .required = true),
    FIELD_TEXT(struct message_get, as_user, .from = IN_CALLER),
    FIELD_END,
};

const struct operation message_get = {
    .name = "message_get",
    .lane = LANE_READER,
    .in = FIELDS(message_get_fields, struct message_get),
    .out = FIELDS(message_list_of_fields, struct message),
    .refuses = (const enum err_code[]){ERR_MESSAGE_UNKNOWN, ERR_NONE},
};

/* ---- message_find ---- */

struct message_find {
    struct text user;
    struct text peer;
    struct text key;
    struct text as_user;
};

static const struct field message_find_fields[] = {
    FIELD_USER(struct message_find),
    FIELD_PEER(struct message_find),
    FIELD_TEXT(struct message_find, key, .from = IN_PATH, .required = true, .min = 1, .max = 50),
    FIELD_TEXT(struct message_find, as_user, .from = IN_CALLER),
    FIELD_END,
};

const struct operation message_find = {
    .name = "message_find",
    .lane = LANE_READER,
    .in = FIELDS(message_find_fields, struct message_find),
    .out = FIELDS(message_list_of_fields, struct message),
    .refuses = (const enum err_code[]){ERR_MESSAGE_UNKNOWN, ERR_NONE},
};

/* ---- message_list ---- */

struct message_list {
    struct text user;
    struct text peer;
    int64_t since;
    int64_t until;
    struct text order;
    struct message_id before;
    bool verbose;
    struct text cursor;
    int64_t limit;
};

static const char *const orders[] = {"newest", "oldest", NULL};

static const struct field message_list_fields[] = {
    FIELD_USER(struct message_list),
    FIELD_TEXT(struct message_list, peer, .from = IN_QUERY, .min = 1, .max = USER_ID_BYTES),
    FIELD_TIME(struct message_list, since, .from = IN_QUERY),
    FIELD_TIME(struct message_list, until, .from = IN_QUERY),
    FIELD_TEXT(
        struct message_list, order, .from = IN_QUERY, .one_of = orders, .fallback_text = "newest"),
    FIELD_MESSAGE_ID(struct message_list, before, .from = IN_QUERY),
    FIELD_BOOL(struct message_list, verbose, .from = IN_QUERY, .has_fallback = true),
    FIELD_CURSOR(struct message_list),
    FIELD_LIMIT(struct message_list),
    FIELD_END,
};

/* With what it is called in /v4, and whether the receiver has read it, where that is asked for. */
struct history_message {
    struct message message;
    struct text key;
    struct text read; /* JSON */
};

static const struct field history_message_list[] = {
    MESSAGE_MEMBERS FIELD_TEXT(struct history_message, key, .omit_absent = true),
    FIELD_RAW(struct history_message, read, .omit_absent = true),
    FIELD_END,
};

static const struct fields history_message_fields =
    FIELDS(history_message_list, struct history_message);

static const struct field message_line_list[] = {
    MESSAGE_MEMBERS FIELD_TEXT(struct history_message, key),
    FIELD_END,
};

const struct fields message_line_fields = FIELDS(message_line_list, struct history_message);

struct message_page {
    struct list items;
    struct text next_cursor;
};

static const struct field message_page_fields[] = {
    FIELD_LIST(struct message_page, items, .of = &history_message_fields),
    FIELD_NEXT_CURSOR(struct message_page),
    FIELD_END,
};

const struct operation message_list = {
    .name = "message_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(message_list_fields, struct message_list),
    .out = FIELDS(message_page_fields, struct message_page),
    .refuses =
        (const enum err_code[]){
            ERR_USER_UNKNOWN, ERR_CURSOR_INVALID, ERR_MESSAGE_UNKNOWN, ERR_NONE},
};
