/* openim_msg_ext_http_svc: small named values on a message. */
#include "http/v4/message_key.h"
#include "http/v4/state.h"

enum { SET = 1, REMOVE = 2, CLEAR = 3 };

#define EXTENSIONS_MAX 20

static const struct v4_field extension[] = {
    {"Key", .kind = V4_TEXT, .required = true, .code = 10004, .min = 1, .max = 100},
    {"Value", .kind = V4_TEXT, .code = 10004, .max = 1000},
    {"Seq", .kind = V4_INT, .code = 10004},
    V4_LAST,
};

#define KEY_MEMBERS                                                                                \
    {"From_Account", .kind = V4_TEXT, .code = 10004},                                              \
        {"To_Account", .kind = V4_TEXT, .required = true, .code = 10004},                          \
    {                                                                                              \
        "MsgKey", .kind = V4_TEXT, .required = true, .code = 10004                                 \
    }

static const struct v4_field set_key_values_in[] = {
    KEY_MEMBERS,
    {"OperateType", .kind = V4_INT, .required = true, .code = 10004, .min = SET, .max = CLEAR},
    {"ExtensionList", .kind = V4_LIST, .code = 10004, .max = EXTENSIONS_MAX, .of = extension},
    V4_LAST,
};

static const struct v4_field extension_result[] = {
    {"ErrorCode", .kind = V4_INT},
    {"Extension", .kind = V4_OBJECT, .of = extension},
    V4_LAST,
};

static const struct v4_field set_key_values_out[] = {
    {"ExtensionList", .kind = V4_LIST, .of = extension_result},
    V4_LAST,
};

/* The message with the key, from or to From_Account. */
static void find(struct v4_call *c, v4_next *next)
{
    struct text from = v4_text(c, "From_Account");
    const struct v4_ask ask = {
        .path =
            {V4_PARAM("user", text_present(from) ? from : c->op->caller.subject),
             V4_PARAM("peer", v4_text(c, "To_Account")), V4_PARAM("key", v4_text(c, "MsgKey"))},
        .takes_errors = true};

    v4_ask(c, &message_find, &ask, next);
}

static bool found(struct v4_call *c)
{
    if (c->step_err.code == ERR_MESSAGE_UNKNOWN)
        v4_fail(c, 23004, "the message does not exist");
    else if (c->step_err.code != ERR_NONE)
        v4_fail_step(c);
    return !c->failed;
}

static struct text found_id(struct v4_call *c)
{
    return arena_text(c->op->arena, v4_text_in(v4_reply(c), "id"));
}

static json_t *extension_out(const json_t *item)
{
    struct text value = v4_text_in(item, "value");

    return json_pack(
        "{s:O, s:o, s:O}", "Key", json_object_get(item, "key"), "Value",
        v4_json_text(text_present(value) ? value : TEXT("")), "Seq",
        json_object_get(item, "version"));
}

static void take_written(struct v4_call *c)
{
    json_t *list = json_array();
    const json_t *result;
    size_t i;

    if (c->step_err.code == ERR_NOT_EXTENSIBLE)
        v4_fail(c, 23002, "the message does not take extensions");
    else if (c->step_err.code == ERR_MESSAGE_RECALLED)
        v4_fail(c, 23004, "the message was recalled");
    else if (c->step_err.code != ERR_NONE)
        v4_fail_step(c);
    json_array_foreach(json_object_get(v4_reply(c), "results"), i, result)
        json_array_append_new(
            list, json_pack(
                      "{s:i, s:o}", "ErrorCode", json_object_get(result, "problem") ? 23001 : 0,
                      "Extension", extension_out(result)));
    v4_answer(c, "ExtensionList", list);
}

/* The version is held against the stored one for a user, not for the administrator. */
static json_t *items_in(const struct v4_call *c)
{
    bool of_user = text_present(v4_text(c, "From_Account"));
    bool sets = v4_int(c, "OperateType", SET) == SET;
    json_t *items = json_array();
    const json_t *item;
    size_t i;

    json_array_foreach(v4_get(c, "ExtensionList"), i, item) {
        struct text value = v4_text_in(item, "Value");
        const json_t *seq = json_object_get(item, "Seq");
        json_array_append_new(
            items, json_pack(
                       "{s:O, s:o, s:o}", "key", json_object_get(item, "Key"), "value",
                       sets ? v4_json_text(text_present(value) ? value : TEXT("")) : json_null(),
                       "version", of_user ? json_integer(json_integer_value(seq)) : json_null()));
    }
    return items;
}

static void write_found(struct v4_call *c)
{
    bool clears = v4_int(c, "OperateType", SET) == CLEAR;

    if (!found(c))
        return;
    struct text id = found_id(c);
    const struct v4_ask ask = {
        .path = {V4_PARAM("id", id)},
        .body =
            json_pack("{s:b, s:o}", "clear", clears, "items", clears ? json_array() : items_in(c)),
        .takes_errors = true};
    v4_ask(c, &message_extension_patch, &ask, take_written);
}

static void set_key_values(struct v4_call *c)
{
    bool clears = v4_int(c, "OperateType", SET) == CLEAR;

    if (!clears && json_array_size(v4_get(c, "ExtensionList")) == 0)
        v4_fail(c, 10004, "ExtensionList is missing");
    else
        find(c, write_found);
}

const struct v4_work v4_set_key_values = {set_key_values_in, set_key_values_out, set_key_values};

/* ---- get_key_values ---- */

static const struct v4_field get_key_values_in[] = {
    KEY_MEMBERS,
    {"StartSeq", .kind = V4_INT, .code = 10004},
    V4_LAST,
};

static const struct v4_field get_key_values_out[] = {
    {"CompleteFlag", .kind = V4_INT},
    {"LatestSeq", .kind = V4_INT},
    {"ClearSeq", .kind = V4_INT},
    {"ExtensionList", .kind = V4_LIST, .of = extension},
    V4_LAST,
};

/* There are at most 300, which is one page. */
static void take_read(struct v4_call *c)
{
    json_t *list = json_array();
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(v4_reply(c), "items"), i, item)
        json_array_append_new(list, extension_out(item));
    v4_answer(c, "CompleteFlag", json_integer(1));
    v4_answer(c, "LatestSeq", json_incref(json_object_get(v4_reply(c), "latest")));
    v4_answer(c, "ClearSeq", json_incref(json_object_get(v4_reply(c), "cleared")));
    v4_answer(c, "ExtensionList", list);
}

static void read_found(struct v4_call *c)
{
    if (!found(c))
        return;
    int64_t after = v4_int(c, "StartSeq", 0);
    struct text id = found_id(c);
    const struct v4_ask ask = {
        .path = {V4_PARAM("id", id)},
        .query = {V4_PARAM(
            "after",
            text_of(arena_printf(c->op->arena, "%lld", after > 0 ? (long long)after : 0)))}};
    v4_ask(c, &message_extension_list, &ask, take_read);
}

static void get_key_values(struct v4_call *c)
{
    find(c, read_found);
}

const struct v4_work v4_get_key_values = {get_key_values_in, get_key_values_out, get_key_values};
