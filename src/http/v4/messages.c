/* openim: messages between two users. */
#include <inttypes.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/message_id.h"
#include "http/v4/elements.h"
#include "http/v4/message_key.h"
#include "http/v4/state.h"

/* What is sent again within this time is the same message. */
#define REPEAT_SECONDS 120
#define KEPT_SECONDS 604800
#define BODY_BYTES 65536

/* ---- sending ---- */

#define ROUTE_MEMBERS                                                                              \
    {"SyncOtherMachine", .kind = V4_INT, .code = 90031},                                           \
        {"From_Account", .kind = V4_TEXT, .code = 90008},                                          \
        {"OnlineOnlyFlag", .kind = V4_INT, .code = 20001},                                         \
        {"MsgLifeTime", .kind = V4_INT, .code = 90044},                                            \
        {"MsgSeq", .kind = V4_INT, .code = 20001, .max = UINT32_MAX},                              \
        {"MsgRandom", .kind = V4_INT, .required = true, .code = 90005, .max = UINT32_MAX},         \
        {"SendMsgControl", .kind = V4_TEXTS, .code = 20001},                                       \
        {"MsgBody", .kind = V4_BODY, .required = true, .code = 90007},                             \
        {"CloudCustomData", .kind = V4_TEXT, .code = 20001},                                       \
        {"IsNeedReadReceipt", .kind = V4_INT, .code = 20001},                                      \
    {                                                                                              \
        "OfflinePushInfo", .kind = V4_OBJECT, .code = 90043                                        \
    }

static const struct v4_field sendmsg_in[] = {
    ROUTE_MEMBERS,
    {"To_Account", .kind = V4_TEXT, .required = true, .code = 90003},
    {"MsgTimeStamp", .kind = V4_INT, .code = 90006},
    {"ForbidCallbackControl", .kind = V4_TEXTS, .code = 20001},
    {"SupportMessageExtension", .kind = V4_INT, .code = 20001},
    V4_LAST,
};

static const struct v4_field sendmsg_out[] = {
    {"MsgTime", .kind = V4_INT},
    {"MsgKey", .kind = V4_TEXT},
    {"MsgId", .kind = V4_TEXT},
    V4_LAST,
};

static const struct v4_field batchsendmsg_in[] = {
    ROUTE_MEMBERS,
    {"To_Account", .kind = V4_TEXTS, .required = true, .code = 90003, .min = 1, .max = 500,
     .limit_code = 90011},
    V4_LAST,
};

static const struct v4_field failed_receiver[] = {
    {"To_Account", .kind = V4_TEXT},
    {"ErrorCode", .kind = V4_INT},
    V4_LAST,
};

static const struct v4_field batchsendmsg_out[] = {
    {"MsgTime", .kind = V4_INT},
    {"MsgKey", .kind = V4_TEXT},
    {"MsgId", .kind = V4_TEXT},
    {"ErrorList", .kind = V4_LIST, .of = failed_receiver},
    V4_LAST,
};

/* By which client_id a message is sent. MsgSeq and MsgRandom tell repeats, but within
 * REPEAT_SECONDS and of the same content alone. Where they were used for another message they take
 * something more, which a repeat finds again; one after the other is tried. */
enum naming {
    BY_NUMBERS,
    BY_NUMBERS_AND_TIME, /* the numbers were used before REPEAT_SECONDS */
    BY_CONTENT,          /* a MsgRandom of its own: they were used just now, for other content */
    BY_CONTENT_AND_TIME,
    NAMINGS,
};

struct sending {
    struct message_key key;
    json_t *body;           /* of /v1; a reference of its own */
    json_t *again[NAMINGS]; /* of a batch: to whom it is still to be sent, by what */
    json_t *errors;
    enum naming naming;
    size_t n_sent;
};

static void release_sending(void *sending)
{
    struct sending *s = sending;

    json_decref(s->body);
    json_decref(s->errors);
    for (size_t i = 0; i < NAMINGS; i++)
        json_decref(s->again[i]);
}

static bool has_control(const struct v4_call *c, const char *wanted)
{
    const json_t *name;
    size_t i;

    json_array_foreach(v4_get(c, "SendMsgControl"), i, name)
        if (strcmp(json_string_value(name), wanted) == 0)
            return true;
    return false;
}

static json_t *options_in(const struct v4_call *c)
{
    const json_t *info = v4_get(c, "OfflinePushInfo");
    int64_t life_s = v4_int(c, "MsgLifeTime", KEPT_SECONDS);

    if (v4_int(c, "OnlineOnlyFlag", 0) == 1 || life_s < 0)
        life_s = 0;
    return json_pack(
        "{s:I, s:b, s:b, s:b, s:b, s:b}", "store_seconds",
        life_s < KEPT_SECONDS ? life_s : KEPT_SECONDS, "sync_to_sender",
        v4_int(c, "SyncOtherMachine", 1) != 2, "count_unread", !has_control(c, "NoUnread"),
        "update_recents", !has_control(c, "NoLastMsg"), "push",
        json_integer_value(json_object_get(info, "PushFlag")) != 1, "extensible",
        v4_int(c, "SupportMessageExtension", 0) == 1);
}

static json_t *sender_in(const struct v4_call *c)
{
    struct text from = v4_text(c, "From_Account");

    return v4_json_text(text_present(from) ? from : c->op->caller.subject);
}

/* The same for the same content, so that a request that is repeated is known again. */
static int64_t number_of(const json_t *content, const json_t *more)
{
    buf_auto text = BUF(BODY_BYTES);

    json_write_tree(&text, content);
    json_write_tree(&text, more);
    return (int64_t)(crc32(0, (const Bytef *)text.ptr, (uInt)text.len) & INT32_MAX);
}

static void name_message(struct v4_call *c, struct sending *s, enum naming naming)
{
    bool by_time = naming == BY_NUMBERS_AND_TIME || naming == BY_CONTENT_AND_TIME;
    int64_t span = clock_now_us() / USEC_PER_SEC / REPEAT_SECONDS;

    s->naming = naming;
    if (naming == BY_CONTENT)
        s->key.random = number_of(json_object_get(s->body, "elements"), v4_get(c, "MsgRandom"));
    json_object_set_new(
        s->body, "client_id",
        by_time ? json_sprintf("%" PRId64 "_%" PRId64 "_%" PRId64, s->key.seq, s->key.random, span)
                : json_sprintf("%" PRId64 "_%" PRId64, s->key.seq, s->key.random));
}

/* What sendmsg and batchsendmsg have in common; NULL when it failed. */
static struct sending *begin_sending(struct v4_call *c)
{
    struct sending *s = arena_alloc(c->op->arena, sizeof(*s));
    json_t *elements = v4_elements_in(c, v4_get(c, "MsgBody"));
    json_t *push = v4_push_in(v4_get(c, "OfflinePushInfo"));
    struct text data = v4_text(c, "CloudCustomData");

    c->state = s;
    if (!elements) {
        json_decref(push);
        return NULL;
    }
    s->key.seq =
        v4_get(c, "MsgSeq") ? v4_int(c, "MsgSeq", 0) : number_of(elements, v4_get(c, "To_Account"));
    s->key.random = v4_int(c, "MsgRandom", 0);
    s->body = json_pack(
        "{s:o, s:o, s:o, s:o, s:o*}", "from", sender_in(c), "elements", elements, "custom_data",
        v4_json_text(data), "options", options_in(c), "push", push);
    s->errors = json_array();
    arena_defer(c->op->arena, release_sending, s);
    name_message(c, s, BY_NUMBERS);
    return s;
}

static struct v4_ask ask_of(const struct sending *s)
{
    return (struct v4_ask){.body = json_copy(s->body), .takes_errors = true};
}

/* A message of this name was there: the name to try next, or NAMINGS where it is the same one. What
 * one that was edited has said is not known any more: it is taken for the same. */
static enum naming next_naming(const struct sending *s, const json_t *stored, int64_t sent_at_us)
{
    bool old = clock_now_us() - sent_at_us > REPEAT_SECONDS * USEC_PER_SEC;
    bool edited = json_is_string(json_object_get(stored, "edited_at"));
    bool says_other =
        !edited &&
        !json_equal(json_object_get(stored, "elements"), json_object_get(s->body, "elements"));

    if (s->naming == BY_NUMBERS && old)
        return BY_NUMBERS_AND_TIME;
    if (s->naming < BY_CONTENT && says_other)
        return BY_CONTENT;
    return s->naming == BY_CONTENT && old ? BY_CONTENT_AND_TIME : NAMINGS;
}

static void answer_sent(struct v4_call *c, struct sending *s, int64_t sent_at_us, struct text id)
{
    s->key.time_s = sent_at_us / USEC_PER_SEC;
    v4_answer(c, "MsgTime", json_integer(s->key.time_s));
    v4_answer(c, "MsgKey", v4_json_text(message_key_text(&s->key, c->op->arena)));
    v4_answer(c, "MsgId", v4_json_text(id));
}

static bool names_field(const struct err *err, const char *pointer)
{
    return err->fields && strcmp(err->fields->pointer, pointer) == 0;
}

/* Who of the two is not there has a number each. */
static void fail_sending(struct v4_call *c)
{
    int number = v4_step_number(c);

    if (c->step_err.code == ERR_USER_UNKNOWN)
        number = names_field(&c->step_err, "/from") ? 20003 : 90012;
    if (c->step_err.code == ERR_BODY_TOO_LARGE)
        number = v4_long_number(c);
    v4_fail(
        c, number, "%s",
        c->step_err.fields ? c->step_err.fields->detail : err_info(c->step_err.code)->title);
}

static void take_sent(struct v4_call *c)
{
    char buffer[MESSAGE_ID_TEXT];
    struct sending *s = c->state;

    if (c->step_err.code != ERR_NONE) {
        fail_sending(c);
        return;
    }
    int64_t sent_at_us = *(const int64_t *)v4_out(c, "sent_at");
    enum naming next = c->step.replayed ? next_naming(s, v4_reply(c), sent_at_us) : NAMINGS;
    if (next != NAMINGS) {
        name_message(c, s, next);
        const struct v4_ask ask = ask_of(s);
        v4_ask(c, &message_send, &ask, take_sent);
        return;
    }
    answer_sent(c, s, sent_at_us, message_id_to_text(v4_out(c, "id"), buffer));
}

static void sendmsg(struct v4_call *c)
{
    struct sending *s = begin_sending(c);

    if (!s)
        return;
    json_object_set_new(s->body, "to", v4_json_text(v4_text(c, "To_Account")));
    const struct v4_ask ask = ask_of(s);
    v4_ask(c, &message_send, &ask, take_sent);
}

const struct v4_work v4_sendmsg = {sendmsg_in, sendmsg_out, sendmsg};

/* ---- batchsendmsg ---- */

static void finish_batch(struct v4_call *c, struct sending *s)
{
    if (json_array_size(s->errors))
        v4_answer(c, "ErrorList", json_incref(s->errors));
    if (s->n_sent == 0)
        v4_fail(c, 90012, "no To_Account is an account");
    else if (json_array_size(s->errors))
        c->status = "SomeError";
}

static void fail_receiver(struct sending *s, const json_t *to)
{
    json_array_append_new(s->errors, json_pack("{s:O, s:i}", "To_Account", to, "ErrorCode", 70107));
}

static void take_receiver(struct v4_call *c, struct sending *s, const json_t *result)
{
    const json_t *message = json_object_get(result, "message");
    json_t *to = json_object_get(result, "to");
    int64_t sent_at_us = 0;

    if (!message) {
        fail_receiver(s, to);
        return;
    }
    clock_from_text(v4_text_in(message, "sent_at"), &sent_at_us);
    bool replayed = json_integer_value(json_object_get(result, "status")) == 200;
    enum naming next = replayed ? next_naming(s, message, sent_at_us) : NAMINGS;
    if (next != NAMINGS) {
        if (!s->again[next])
            s->again[next] = json_array();
        json_array_append(s->again[next], to);
        return;
    }
    s->n_sent++;
    answer_sent(c, s, sent_at_us, v4_text_in(message, "id"));
}

static void take_batch(struct v4_call *c)
{
    struct sending *s = c->state;
    const json_t *result;
    size_t i;

    if (c->step_err.code != ERR_NONE) {
        fail_sending(c);
        return;
    }
    json_array_foreach(json_object_get(v4_reply(c), "results"), i, result)
        take_receiver(c, s, result);
    enum naming next = s->naming;
    while (++next < NAMINGS && !s->again[next])
        ;
    if (next == NAMINGS) {
        finish_batch(c, s);
        return;
    }
    json_object_set(s->body, "to", s->again[next]);
    name_message(c, s, next);
    const struct v4_ask ask = ask_of(s);
    v4_ask(c, &message_batch, &ask, take_batch);
}

/* Each once, and not the sender. */
static json_t *receivers_in(const struct v4_call *c, struct sending *s)
{
    const json_t *from = json_object_get(s->body, "from");
    json_t *met = json_object();
    json_t *receivers = json_array();
    const json_t *to;
    size_t i;

    json_array_foreach(v4_get(c, "To_Account"), i, to) {
        const char *name = json_string_value(to);
        if (json_equal(to, from) || json_object_get(met, name))
            continue;
        json_object_set_new(met, name, json_true());
        if (v4_is_user(v4_text_of(to)))
            json_array_append(receivers, (json_t *)to);
        else
            fail_receiver(s, to);
    }
    json_decref(met);
    return receivers;
}

static void batchsendmsg(struct v4_call *c)
{
    struct sending *s = begin_sending(c);

    if (!s)
        return;
    json_t *receivers = receivers_in(c, s);
    json_object_set_new(s->body, "to", receivers);
    if (json_array_size(receivers) == 0) {
        finish_batch(c, s);
        return;
    }
    const struct v4_ask ask = ask_of(s);
    v4_ask(c, &message_batch, &ask, take_batch);
}

const struct v4_work v4_batchsendmsg = {batchsendmsg_in, batchsendmsg_out, batchsendmsg};

/* ---- importmsg ---- */

static const struct v4_field importmsg_in[] = {
    {"SyncFromOldSystem", .kind = V4_INT, .required = true, .code = 90030, .min = 1, .max = 2},
    {"From_Account", .kind = V4_TEXT, .required = true, .code = 90008},
    {"To_Account", .kind = V4_TEXT, .required = true, .code = 90003},
    {"MsgSeq", .kind = V4_INT, .code = 20001, .max = UINT32_MAX},
    {"MsgRandom", .kind = V4_INT, .required = true, .code = 90005, .max = UINT32_MAX},
    {"MsgTimeStamp", .kind = V4_INT, .required = true, .code = 90006, .max = UINT32_MAX},
    {"MsgBody", .kind = V4_BODY, .required = true, .code = 90007},
    {"CloudCustomData", .kind = V4_TEXT, .code = 20001},
    V4_LAST,
};

/* What is too old to be kept is taken as well: nobody would find it. */
static void take_imported(struct v4_call *c)
{
    const json_t *result = json_array_get(json_object_get(v4_reply(c), "results"), 0);
    const json_t *problem = json_object_get(result, "problem");
    enum err_code code = err_from_code(v4_text_in(problem, "code"));

    if (code == ERR_TOO_OLD)
        c->info = "older than what is kept";
    else if (code != ERR_NONE)
        v4_fail(c, v4_number(V4_MESSAGES, code), "%s", err_info(code)->title);
}

static void importmsg(struct v4_call *c)
{
    char time[CLOCK_TEXT];
    struct message_key key = {
        v4_int(c, "MsgSeq", 0), v4_int(c, "MsgRandom", 0), v4_int(c, "MsgTimeStamp", 0)};
    json_t *elements = v4_elements_in(c, v4_get(c, "MsgBody"));

    if (!elements)
        return;
    const struct v4_ask ask = {
        .body = json_pack(
            "{s:[{s:o, s:o, s:o, s:o, s:o, s:o}]}", "messages", "from",
            v4_json_text(v4_text(c, "From_Account")), "to", v4_json_text(v4_text(c, "To_Account")),
            "elements", elements, "custom_data", v4_json_text(v4_text(c, "CloudCustomData")),
            "client_id", v4_json_text(message_key_text(&key, c->op->arena)), "sent_at",
            v4_json_text(clock_to_text(key.time_s * USEC_PER_SEC, time)))};
    v4_ask(c, &message_import, &ask, take_imported);
}

const struct v4_work v4_importmsg = {importmsg_in, v4_nothing, importmsg};

/* ---- one message, by its key ---- */

#define PAIR_MEMBERS                                                                               \
    {"From_Account", .kind = V4_TEXT, .required = true, .code = 90008},                            \
    {                                                                                              \
        "To_Account", .kind = V4_TEXT, .required = true, .code = 90003                             \
    }

static const struct v4_field admin_msgwithdraw_in[] = {
    PAIR_MEMBERS,
    {"MsgKey", .kind = V4_TEXT, .required = true, .code = 90054},
    V4_LAST,
};

/* Asks for the message with the key of the request that From_Account has sent. */
static void find_sent(struct v4_call *c, v4_next *next)
{
    struct message_key key;
    const struct v4_ask ask = {
        .path =
            {V4_PARAM("user", v4_text(c, "From_Account")),
             V4_PARAM("peer", v4_text(c, "To_Account")), V4_PARAM("key", v4_text(c, "MsgKey"))},
        .takes_errors = true};

    if (!message_key_parse(v4_text(c, "MsgKey"), &key))
        v4_fail(c, 90054, "MsgKey is no key");
    else
        v4_ask(c, &message_find, &ask, next);
}

/* False, with the command ended as `number` says, when there is none. */
static bool found_sent(struct v4_call *c, int number)
{
    if (c->step_err.code != ERR_NONE && c->step_err.code != ERR_MESSAGE_UNKNOWN) {
        v4_fail_step(c);
        return false;
    }
    if (c->step_err.code == ERR_NONE &&
        text_equal(v4_text_in(v4_reply(c), "from"), v4_text(c, "From_Account")))
        return true;
    v4_fail(c, number, "the message does not exist");
    return false;
}

static struct text found_id(struct v4_call *c)
{
    return arena_text(c->op->arena, v4_text_in(v4_reply(c), "id"));
}

static void withdraw_found(struct v4_call *c)
{
    if (!found_sent(c, 20022))
        return;
    if (text_equal(v4_text_in(v4_reply(c), "state"), TEXT("recalled"))) {
        v4_fail(c, 20023, "the message was recalled before");
        return;
    }
    const struct v4_ask ask = {.path = {V4_PARAM("id", found_id(c))}};
    v4_ask(c, &message_recall, &ask, NULL);
}

static void admin_msgwithdraw(struct v4_call *c)
{
    find_sent(c, withdraw_found);
}

const struct v4_work v4_admin_msgwithdraw = {admin_msgwithdraw_in, v4_nothing, admin_msgwithdraw};

static const struct v4_field modify_c2c_msg_in[] = {
    PAIR_MEMBERS,
    {"MsgKey", .kind = V4_TEXT, .required = true, .code = 20001},
    {"MsgBody", .kind = V4_BODY, .code = 90007},
    {"CloudCustomData", .kind = V4_TEXT, .code = 20001},
    V4_LAST,
};

static void modify_found(struct v4_call *c)
{
    const json_t *msg_body = v4_get(c, "MsgBody");
    const json_t *data = v4_get(c, "CloudCustomData");

    if (!found_sent(c, 20001))
        return;
    json_t *elements = msg_body ? v4_elements_in(c, msg_body) : NULL;
    if (msg_body && !elements)
        return;
    struct text id = found_id(c);
    const struct v4_ask ask = {
        .path = {V4_PARAM("id", id)},
        .body = json_pack("{s:o*, s:O*}", "elements", elements, "custom_data", (json_t *)data)};
    c->info = "succeed";
    v4_ask(c, &message_edit, &ask, NULL);
}

static void modify_c2c_msg(struct v4_call *c)
{
    find_sent(c, modify_found);
}

const struct v4_work v4_modify_c2c_msg = {modify_c2c_msg_in, v4_nothing, modify_c2c_msg};

/* ---- several messages, by their keys ---- */

struct by_keys {
    const json_t *keys; /* texts, or objects with a MsgKey */
    size_t i;
    struct text key;
    const struct operation *operation;
    struct v4_ask (*ask)(struct v4_call *c, struct text id);
    void (*unknown)(struct v4_call *c, struct text key);
};

static void next_key(struct v4_call *c);

static void take_by_key(struct v4_call *c)
{
    struct by_keys *by = c->state;

    if (c->step_err.code != ERR_NONE)
        by->unknown(c, by->key);
    if (!c->failed)
        next_key(c);
}

static void key_found(struct v4_call *c)
{
    struct by_keys *by = c->state;

    if (c->step_err.code != ERR_NONE) {
        take_by_key(c);
        return;
    }
    struct v4_ask ask = by->ask(c, found_id(c));
    ask.takes_errors = true;
    v4_ask(c, by->operation, &ask, take_by_key);
}

static void next_key(struct v4_call *c)
{
    struct by_keys *by = c->state;
    struct message_key parsed;

    while (by->i < json_array_size(by->keys)) {
        const json_t *key = json_array_get(by->keys, by->i++);
        by->key = json_is_object(key) ? v4_text_in(key, "MsgKey") : v4_text_of(key);
        if (message_key_parse(by->key, &parsed)) {
            const struct v4_ask ask = {
                .path =
                    {V4_PARAM("user", v4_text(c, "Operator_Account")),
                     V4_PARAM("peer", v4_text(c, "Peer_Account")), V4_PARAM("key", by->key)},
                .takes_errors = true};
            v4_ask(c, &message_find, &ask, key_found);
            return;
        }
        by->unknown(c, by->key);
        if (c->failed)
            return;
    }
}

static void begin_by_keys(struct v4_call *c, const struct by_keys *by)
{
    c->state = arena_copy(c->op->arena, by, sizeof(*by));
    next_key(c);
}

#define OPERATOR_MEMBERS                                                                           \
    {"Operator_Account", .kind = V4_TEXT, .required = true, .code = 90008},                        \
    {                                                                                              \
        "Peer_Account", .kind = V4_TEXT, .required = true, .code = 90003                           \
    }

static const struct v4_field delete_c2c_msg_ramble_in[] = {
    OPERATOR_MEMBERS,
    {"MsgKeyList", .kind = V4_TEXTS, .required = true, .code = 90001, .min = 1, .max = 30},
    V4_LAST,
};

static const struct v4_field delete_c2c_msg_ramble_out[] = {
    {"InvalidMsgKeyList", .kind = V4_TEXTS},
    V4_LAST,
};

static struct v4_ask ask_delete(struct v4_call *c, struct text id)
{
    return (struct v4_ask){
        .path = {V4_PARAM("user", v4_text(c, "Operator_Account")), V4_PARAM("id", id)}};
}

static void not_deleted(struct v4_call *c, struct text key)
{
    json_array_append_new(json_object_get(c->answer, "InvalidMsgKeyList"), v4_json_text(key));
}

static void delete_c2c_msg_ramble(struct v4_call *c)
{
    const struct by_keys by = {
        .keys = v4_get(c, "MsgKeyList"),
        .operation = &message_delete,
        .ask = ask_delete,
        .unknown = not_deleted};

    v4_answer(c, "InvalidMsgKeyList", json_array());
    begin_by_keys(c, &by);
}

const struct v4_work v4_delete_c2c_msg_ramble = {
    delete_c2c_msg_ramble_in, delete_c2c_msg_ramble_out, delete_c2c_msg_ramble};

static const struct v4_field receipt_in[] = {
    {"From_Account", .kind = V4_TEXT, .required = true, .code = 20001},
    {"To_Account", .kind = V4_TEXT, .required = true, .code = 20001},
    {"MsgKey", .kind = V4_TEXT, .required = true, .code = 20001},
    V4_LAST,
};

static const struct v4_field c2c_msg_read_receipt_in[] = {
    {"Operator_Account", .kind = V4_TEXT, .required = true, .code = 20001},
    {"Peer_Account", .kind = V4_TEXT, .required = true, .code = 20001},
    {"C2CMsgInfo", .kind = V4_LIST, .required = true, .code = 20001, .min = 1, .max = 30,
     .of = receipt_in},
    V4_LAST,
};

/* A receipt is a read mark: all up to the message is read. */
static struct v4_ask ask_read(struct v4_call *c, struct text id)
{
    return (struct v4_ask){
        .path =
            {V4_PARAM("user", v4_text(c, "Operator_Account")),
             V4_PARAM("peer", v4_text(c, "Peer_Account"))},
        .body = json_pack("{s:o}", "up_to", v4_json_text(id))};
}

static void not_read(struct v4_call *c, struct text key)
{
    v4_fail(c, 20001, "%.*s is no message of the two", TEXT_ARG(key));
}

static void c2c_msg_read_receipt(struct v4_call *c)
{
    const json_t *list = v4_get(c, "C2CMsgInfo");
    const json_t *info;
    size_t i;
    const struct by_keys by = {
        .keys = list, .operation = &conversation_read, .ask = ask_read, .unknown = not_read};

    json_array_foreach(list, i, info) {
        if (text_equal(v4_text_in(info, "From_Account"), v4_text(c, "Peer_Account")) &&
            text_equal(v4_text_in(info, "To_Account"), v4_text(c, "Operator_Account")))
            continue;
        v4_fail(c, 20001, "From_Account must be Peer_Account, and To_Account Operator_Account");
        return;
    }
    begin_by_keys(c, &by);
}

const struct v4_work v4_c2c_msg_read_receipt = {
    c2c_msg_read_receipt_in, v4_nothing, c2c_msg_read_receipt};

/* ---- read marks ---- */

static const struct v4_field admin_set_msg_read_in[] = {
    {"Report_Account", .kind = V4_TEXT, .required = true, .code = 90008},
    {"Peer_Account", .kind = V4_TEXT, .required = true, .code = 90003},
    {"MsgReadTime", .kind = V4_INT, .code = 90001, .max = UINT32_MAX, .text_too = true},
    V4_LAST,
};

static void admin_set_msg_read(struct v4_call *c)
{
    char time[CLOCK_TEXT];
    int64_t until_s = v4_int(c, "MsgReadTime", 0);
    /* The whole second is read. */
    int64_t until_us = until_s ? (until_s + 1) * USEC_PER_SEC - 1 : clock_now_us();
    const struct v4_ask ask = {
        .path =
            {V4_PARAM("user", v4_text(c, "Report_Account")),
             V4_PARAM("peer", v4_text(c, "Peer_Account"))},
        .body = json_pack("{s:o}", "up_to", v4_json_text(clock_to_text(until_us, time)))};

    v4_ask(c, &conversation_read, &ask, NULL);
}

const struct v4_work v4_admin_set_msg_read = {
    admin_set_msg_read_in, v4_nothing, admin_set_msg_read};

static const struct v4_field get_c2c_unread_msg_num_in[] = {
    {"To_Account", .kind = V4_TEXT, .required = true, .code = 90003},
    {"Peer_Account", .kind = V4_TEXTS, .code = 90001, .max = 10},
    V4_LAST,
};

static const struct v4_field unread_of_peer[] = {
    {"Peer_Account", .kind = V4_TEXT},
    {"C2CUnreadMsgNum", .kind = V4_INT},
    V4_LAST,
};

static const struct v4_field failed_peer[] = {
    {"Peer_Account", .kind = V4_TEXT},
    {"ErrorCode", .kind = V4_INT},
    V4_LAST,
};

static const struct v4_field get_c2c_unread_msg_num_out[] = {
    {"AllC2CUnreadMsgNum", .kind = V4_INT},
    {"C2CUnreadMsgNumList", .kind = V4_LIST, .of = unread_of_peer},
    {"ErrorList", .kind = V4_LIST, .of = failed_peer},
    V4_LAST,
};

static void take_unread(struct v4_call *c)
{
    v4_answer(c, "AllC2CUnreadMsgNum", json_incref(json_object_get(v4_reply(c), "total")));
}

static void tell_unknown_peer(struct v4_call *c, const json_t *item)
{
    json_array_append_new(
        json_object_get(c->answer, "ErrorList"),
        json_pack("{s:O, s:i}", "Peer_Account", item, "ErrorCode", 70107));
}

static void ask_unread_of(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    if (!v4_is_user(v4_text_of(item))) {
        tell_unknown_peer(c, item);
        return;
    }
    ret->path[0] = (struct param)V4_PARAM("user", v4_text(c, "To_Account"));
    ret->path[1] = (struct param)V4_PARAM("peer", v4_text_of(item));
}

static void take_unread_of(struct v4_call *c, const json_t *item)
{
    if (c->step_err.code == ERR_NONE)
        json_array_append_new(
            json_object_get(c->answer, "C2CUnreadMsgNumList"),
            json_pack(
                "{s:O, s:O}", "Peer_Account", item, "C2CUnreadMsgNum",
                json_object_get(v4_reply(c), "unread")));
    else if (c->step_err.code == ERR_USER_UNKNOWN && !names_field(&c->step_err, "/user"))
        tell_unknown_peer(c, item);
    else
        v4_fail_step(c);
}

static void end_unread(struct v4_call *c)
{
    if (json_array_size(json_object_get(c->answer, "ErrorList")) == 0)
        json_object_del(c->answer, "ErrorList");
}

static void get_c2c_unread_msg_num(struct v4_call *c)
{
    const json_t *peers = v4_get(c, "Peer_Account");
    const struct v4_ask all = {.path = {V4_PARAM("user", v4_text(c, "To_Account"))}};
    const struct v4_each each = {
        .items = peers,
        .operation = &conversation_get,
        .ask = ask_unread_of,
        .take = take_unread_of,
        .done = end_unread};

    if (json_array_size(peers) == 0) {
        v4_ask(c, &unread_get, &all, take_unread);
        return;
    }
    v4_answer(c, "C2CUnreadMsgNumList", json_array());
    v4_answer(c, "ErrorList", json_array());
    v4_for_each(c, &each);
}

const struct v4_work v4_get_c2c_unread_msg_num = {
    get_c2c_unread_msg_num_in, get_c2c_unread_msg_num_out, get_c2c_unread_msg_num};

/* ---- history ---- */

#define PAGE_MAX 200

static const struct v4_field admin_getroammsg_in[] = {
    {"Operator_Account", .also = "From_Account", .kind = V4_TEXT, .required = true, .code = 90008},
    {"Peer_Account", .also = "To_Account", .kind = V4_TEXT, .required = true, .code = 90003},
    {"MaxCnt", .kind = V4_INT, .required = true, .code = 90001, .min = 1},
    {"MinTime", .kind = V4_INT, .required = true, .code = 90001, .max = UINT32_MAX},
    {"MaxTime", .kind = V4_INT, .required = true, .code = 90001, .max = UINT32_MAX},
    {"LastMsgKey", .kind = V4_TEXT, .code = 90001},
    V4_LAST,
};

static const struct v4_field roaming_message[] = {
    {"From_Account", .kind = V4_TEXT},
    {"To_Account", .kind = V4_TEXT},
    {"MsgSeq", .kind = V4_INT},
    {"MsgRandom", .kind = V4_INT},
    {"MsgTimeStamp", .kind = V4_INT},
    {"MsgFlagBits", .kind = V4_INT},
    {"IsPeerRead", .kind = V4_INT},
    {"MsgKey", .kind = V4_TEXT},
    {"MsgBody", .kind = V4_BODY},
    {"CloudCustomData", .kind = V4_TEXT},
    V4_LAST,
};

static const struct v4_field admin_getroammsg_out[] = {
    {"Complete", .kind = V4_INT},
    {"MsgCnt", .kind = V4_INT},
    {"LastMsgTime", .kind = V4_INT},
    {"LastMsgKey", .kind = V4_TEXT},
    {"MsgList", .kind = V4_LIST, .of = roaming_message},
    V4_LAST,
};

/* What was deleted has no name, and nothing is "". */
static json_t *text_or_empty(const json_t *object, const char *name)
{
    struct text t = v4_text_in(object, name);

    return v4_json_text(text_present(t) ? t : TEXT(""));
}

static json_t *roaming_out(const json_t *message)
{
    struct message_key key = {0, 0, 0};
    bool recalled = text_equal(v4_text_in(message, "state"), TEXT("recalled"));

    message_key_parse(v4_text_in(message, "key"), &key);
    return json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:i, s:i, s:O, s:o, s:o}", "From_Account",
        text_or_empty(message, "from"), "To_Account", text_or_empty(message, "to"), "MsgSeq",
        key.seq, "MsgRandom", key.random, "MsgTimeStamp", key.time_s, "MsgFlagBits",
        recalled ? 8 : 0, "IsPeerRead", json_is_true(json_object_get(message, "read")), "MsgKey",
        json_object_get(message, "key"), "MsgBody",
        v4_elements_out(json_object_get(message, "elements")), "CloudCustomData",
        text_or_empty(message, "custom_data"));
}

/* The page begins with its newest; an SDK wants it the other way round. */
static void take_roaming(struct v4_call *c)
{
    const json_t *items = json_object_get(v4_reply(c), "items");
    bool more = json_is_string(json_object_get(v4_reply(c), "next_cursor"));
    json_t *list = json_array();
    struct message_key oldest = {0, 0, 0};
    size_t n = json_array_size(items);

    for (size_t i = n; i > 0; i--)
        json_array_append_new(list, roaming_out(json_array_get(items, i - 1)));
    struct text key = n ? v4_text_in(json_array_get(items, n - 1), "key") : TEXT("");
    message_key_parse(key, &oldest);
    v4_answer(c, "Complete", json_integer(!more));
    v4_answer(c, "MsgCnt", json_integer((json_int_t)n));
    v4_answer(c, "LastMsgTime", json_integer(oldest.time_s));
    v4_answer(c, "LastMsgKey", v4_json_text(key));
    v4_answer(c, "MsgList", list);
}

/* `before`: the id of the last page's oldest message. What came by import may lie behind it with a
 * later time, so the window ends with its beginning alone then. */
static void ask_roaming(struct v4_call *c, struct text before, int64_t until_s)
{
    char since[CLOCK_TEXT], until[CLOCK_TEXT];
    int64_t n = v4_int(c, "MaxCnt", 1);
    struct text end = clock_to_text(until_s * USEC_PER_SEC, until);
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", v4_text(c, "Operator_Account"))},
        .query = {
            V4_PARAM("peer", v4_text(c, "Peer_Account")),
            V4_PARAM("since", clock_to_text(v4_int(c, "MinTime", 0) * USEC_PER_SEC, since)),
            V4_PARAM(
                "limit",
                text_of(arena_printf(c->op->arena, "%d", n < PAGE_MAX ? (int)n : PAGE_MAX))),
            V4_PARAM("until", text_present(before) ? TEXT_ABSENT : end), V4_PARAM("before", before),
            V4_PARAM("verbose", TEXT("true"))}};

    v4_ask(c, &message_list, &ask, take_roaming);
}

/* A message that was removed since cannot be found: then what is older than its second is next. */
static void last_key_found(struct v4_call *c)
{
    int64_t until_s = v4_int(c, "MaxTime", 0);

    if (c->step_err.code == ERR_NONE)
        ask_roaming(c, found_id(c), until_s);
    else if (c->step_err.code == ERR_MESSAGE_UNKNOWN)
        ask_roaming(c, TEXT_ABSENT, until_s);
    else
        v4_fail_step(c);
}

static void admin_getroammsg(struct v4_call *c)
{
    struct text key = v4_text(c, "LastMsgKey");
    const struct v4_ask ask = {
        .path =
            {V4_PARAM("user", v4_text(c, "Operator_Account")),
             V4_PARAM("peer", v4_text(c, "Peer_Account")), V4_PARAM("key", key)},
        .takes_errors = true};

    if (text_present(key))
        v4_ask(c, &message_find, &ask, last_key_found);
    else
        ask_roaming(c, TEXT_ABSENT, v4_int(c, "MaxTime", 0) + 1);
}

const struct v4_work v4_admin_getroammsg = {
    admin_getroammsg_in, admin_getroammsg_out, admin_getroammsg};
