/* What friends, friend groups and the blocklist have in common. */
#include "http/v4/sns.h"

#include <zlib.h>

#include "base/json.h"

const struct v4_field sns_result_item[] = {
    {"To_Account", .kind = V4_TEXT},
    {"Relation", .kind = V4_TEXT},
    {"ResultCode", .kind = V4_INT},
    {"ResultInfo", .kind = V4_TEXT},
    V4_LAST,
};

const struct v4_field sns_results_out[] = {
    {"ResultItem", .kind = V4_LIST, .of = sns_result_item},
    {"Fail_Account", .kind = V4_TEXTS},
    V4_LAST,
};

const struct v4_field sns_tag_value[] = {
    {"Tag", .kind = V4_TEXT, .required = true, .code = 30001},
    {"Value", .kind = V4_ANY, .code = 30001},
    V4_LAST,
};

struct text sns_from(const struct v4_call *c)
{
    return v4_text(c, "From_Account");
}

struct text sns_peer(const json_t *item)
{
    return json_is_object(item) ? v4_text_in(item, "To_Account") : v4_text_of(item);
}

struct v4_ask sns_ask_peer(const struct v4_call *c, const json_t *item)
{
    return (struct v4_ask){
        .path = {V4_PARAM("user", sns_from(c)), V4_PARAM("peer", sns_peer(item))},
        .takes_errors = true};
}

void sns_ask_item(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    *ret = sns_ask_peer(c, item);
}

void sns_result(struct v4_call *c, const json_t *item, int number)
{
    v4_result(c, "ResultItem", sns_peer(item).ptr ? sns_peer(item).ptr : "", number);
}

int64_t sns_sequence(const json_t *json)
{
    buf_auto text = BUF(8u << 20);

    json_write_tree(&text, json);
    return (int64_t)(crc32(0, (const Bytef *)text.ptr, (uInt)text.len) & INT32_MAX) | 1;
}

int sns_number(const struct v4_call *c)
{
    const struct err *err = &c->step_err;

    if (err->code == ERR_FRIENDS_FULL && err->fields && strcmp(err->fields->pointer, "/peer") == 0)
        return 30014;
    if (err->code == ERR_BLOCKED_BY_RECIPIENT)
        return 30525;
    if (err->code == ERR_FORBIDDEN)
        return 30009;
    if (err->code == ERR_FRIEND_UNKNOWN)
        return 30001;
    return v4_step_number(c);
}

/* The names of `items` that could be accounts, each once: what one operation is asked about. */
static json_t *peers_of(const json_t *items)
{
    json_t *met = json_object();
    json_t *peers = json_array();
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        struct text name = sns_peer(item);
        if (!v4_is_user(name) || json_object_get(met, name.ptr))
            continue;
        json_object_set_new(met, name.ptr, json_true());
        json_array_append_new(peers, v4_json_text(name));
    }
    json_decref(met);
    return peers;
}

json_t *sns_by_peer(struct v4_call *c)
{
    json_t *map = v4_owned(c, json_object());
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(v4_reply(c), "items"), i, item)
        json_object_set(map, json_string_value(json_object_get(item, "peer")), (json_t *)item);
    return map;
}

const json_t *sns_find(const json_t *by_peer, const json_t *item)
{
    return json_object_get(by_peer, sns_peer(item).ptr ? sns_peer(item).ptr : "");
}

void sns_ask_about(
    struct v4_call *c, const struct operation *check, const json_t *items, v4_next *next)
{
    json_t *peers = peers_of(items);
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", sns_from(c))}, .body = json_pack("{s:o}", "peers", peers)};

    if (json_array_size(peers) == 0) /* whoever asks must be there all the same */
        json_array_append_new(peers, v4_json_text(sns_from(c)));
    v4_ask(c, check, &ask, next);
}

bool sns_is_unknown(const json_t *by_peer, const json_t *item)
{
    const json_t *relation = sns_find(by_peer, item);

    return !relation || text_equal(v4_text_in(relation, "relation"), TEXT("unknown"));
}

void sns_take_result(struct v4_call *c, const json_t *item)
{
    sns_result(c, item, sns_number(c));
}

/* ---- groups that are named must be there ---- */

static void take_group(struct v4_call *c, const json_t *item)
{
    const struct sns_naming *naming = c->state;

    if (c->step_err.code == ERR_GROUPS_FULL || c->step_err.code == ERR_INVALID_REQUEST)
        json_object_set_new(naming->refused, json_string_value(item), json_integer(sns_number(c)));
    else if (c->step_err.code != ERR_NONE)
        v4_fail_step(c);
}

void sns_ask_group(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    ret->path[0] = (struct param)V4_PARAM("user", sns_from(c));
    ret->path[1] = (struct param)V4_PARAM("group", v4_text_of(item));
}

void sns_make_groups(struct v4_call *c, json_t *takes_names)
{
    const struct sns_naming *naming = c->state;
    const struct v4_each each = {
        .items = v4_owned(c, takes_names),
        .operation = &friend_group_put,
        .ask = sns_ask_group,
        .take = take_group,
        .done = naming->done};

    v4_for_each(c, &each);
}

static void add_name(json_t *names, const json_t *name)
{
    if (json_string_length(name))
        json_array_append(names, (json_t *)name);
}

json_t *sns_names(const json_t *value)
{
    json_t *names = json_array();
    const json_t *name;
    size_t i;

    add_name(names, value);
    json_array_foreach(value, i, name)
        add_name(names, name);
    return names;
}

json_t *sns_group_of(const json_t *item)
{
    return sns_names(json_object_get(item, "GroupName"));
}

json_t *sns_all_names(const json_t *items, json_t *(*names_in)(const json_t *item))
{
    json_t *met = json_object();
    json_t *names = json_array();
    const json_t *item, *name;
    size_t i, j;

    json_array_foreach(items, i, item) {
        json_t *own = names_in(item);
        json_array_foreach(own, j, name) {
            const char *text = json_string_value(name);
            if (json_object_get(met, text))
                continue;
            json_object_set_new(met, text, json_true());
            json_array_append(names, (json_t *)name);
        }
        json_decref(own);
    }
    json_decref(met);
    return names;
}

json_t *sns_joined(const json_t *names, const json_t *more)
{
    json_t *both =
        json_pack("[{s:O*}, {s:O*}]", "GroupName", (json_t *)names, "GroupName", (json_t *)more);
    json_t *joined = sns_all_names(both, sns_group_of);

    json_decref(both);
    return joined;
}

int sns_names_number(const json_t *refused, json_t *takes_names)
{
    int number = 0;
    const json_t *name;
    size_t i;

    json_array_foreach(takes_names, i, name)
        if (number == 0)
            number = (int)json_integer_value(json_object_get(refused, json_string_value(name)));
    json_decref(takes_names);
    return number;
}
