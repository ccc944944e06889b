/* sns: friends, friend groups, blocklist. */
#include <zlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "http/v4/profiles.h"
#include "http/v4/state.h"

#define NAMES_MAX 1000
#define GROUP_BYTES 64
#define PAGE 100
#define IMPORT_MAX 100
#define CUSTOM_PREFIX "Tag_SNS_Custom_"
/* What /v1 has no member for is kept with the friend's own fields. */
#define ADD_SOURCE "im_add_source"
#define ADD_WORDING "im_add_wording"

#define FROM_MEMBER                                                                                \
    {                                                                                              \
        "From_Account", .kind = V4_TEXT, .required = true, .code = 30001                           \
    }
#define TO_MEMBER                                                                                  \
    {                                                                                              \
        "To_Account", .kind = V4_TEXTS, .required = true, .code = 30001, .min = 1,                 \
                      .max = NAMES_MAX                                                             \
    }

static const struct v4_field result_item[] = {
    {"To_Account", .kind = V4_TEXT},
    {"Relation", .kind = V4_TEXT},
    {"ResultCode", .kind = V4_INT},
    {"ResultInfo", .kind = V4_TEXT},
    V4_LAST,
};

static const struct v4_field results_out[] = {
    {"ResultItem", .kind = V4_LIST, .of = result_item},
    {"Fail_Account", .kind = V4_TEXTS},
    V4_LAST,
};

static struct text from_of(const struct v4_call *c)
{
    return v4_text(c, "From_Account");
}

static struct text to_of(const json_t *item)
{
    return json_is_object(item) ? v4_text_in(item, "To_Account") : v4_text_of(item);
}

static struct v4_ask ask_peer(const struct v4_call *c, const json_t *item)
{
    return (struct v4_ask){
        .path = {V4_PARAM("user", from_of(c)), V4_PARAM("peer", to_of(item))},
        .takes_errors = true};
}

static void add_result(struct v4_call *c, const json_t *item, int number)
{
    v4_result(c, "ResultItem", to_of(item).ptr ? to_of(item).ptr : "", number);
}

/* Changes when what it stands for changes; never 0, which asks for everything. */
static int64_t sequence_of(const json_t *json)
{
    buf_auto text = BUF(8u << 20);

    json_write_tree(&text, json);
    return (int64_t)(crc32(0, (const Bytef *)text.ptr, (uInt)text.len) & INT32_MAX) | 1;
}

/* The number of an error of one friend. */
static int friend_number(const struct v4_call *c)
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
        struct text name = to_of(item);
        if (!v4_is_user(name) || json_object_get(met, name.ptr))
            continue;
        json_object_set_new(met, name.ptr, json_true());
        json_array_append_new(peers, v4_json_text(name));
    }
    json_decref(met);
    return peers;
}

/* By peer: the replies of friend_check and block_check as an object. */
static json_t *by_peer(struct v4_call *c)
{
    json_t *map = v4_owned(c, json_object());
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(v4_reply(c), "items"), i, item)
        json_object_set(map, json_string_value(json_object_get(item, "peer")), (json_t *)item);
    return map;
}

static const json_t *find_peer(const json_t *map, const json_t *item)
{
    return json_object_get(map, to_of(item).ptr ? to_of(item).ptr : "");
}

static void ask_about(
    struct v4_call *c, const struct operation *check, const json_t *items, v4_next *next)
{
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", from_of(c))},
        .body = json_pack("{s:o}", "peers", peers_of(items))};

    v4_ask(c, check, &ask, next);
}

/* ---- groups that are named must be there ---- */

struct naming {
    json_t *full; /* names for which there is no room */
    v4_next *done;
};

static void take_group(struct v4_call *c, const json_t *item)
{
    const struct naming *naming = c->state;

    if (c->step_err.code == ERR_GROUPS_FULL)
        json_object_set_new(naming->full, json_string_value(item), json_true());
    else if (c->step_err.code != ERR_NONE)
        v4_fail_step(c);
}

static void ask_group(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    ret->path[0] = (struct param)V4_PARAM("user", from_of(c));
    ret->path[1] = (struct param)V4_PARAM("group", v4_text_of(item));
}

/* c->state must begin with a struct naming. */
static void make_groups(struct v4_call *c, json_t *names)
{
    const struct naming *naming = c->state;
    const struct v4_each each = {
        .items = v4_owned(c, names),
        .operation = &friend_group_put,
        .ask = ask_group,
        .take = take_group,
        .done = naming->done};

    v4_for_each(c, &each);
}

/* A name, or an array of them, as an array of its own. */
static json_t *names_of(const json_t *value)
{
    json_t *names = json_array();

    if (json_is_string(value) && json_string_length(value))
        json_array_append(names, (json_t *)value);
    else if (json_is_array(value))
        json_array_extend(names, (json_t *)value);
    return names;
}

static json_t *all_names(const json_t *items, json_t *(*names_in)(const json_t *item))
{
    json_t *met = json_object();
    json_t *names = json_array();
    const json_t *item, *name;
    size_t i, j;

    json_array_foreach(items, i, item) {
        json_t *own = names_in(item);
        json_array_foreach(own, j, name) {
            const char *text = json_string_value(name);
            if (!text || !text[0] || json_object_get(met, text))
                continue;
            json_object_set_new(met, text, json_true());
            json_array_append(names, (json_t *)name);
        }
        json_decref(own);
    }
    json_decref(met);
    return names;
}

static bool names_full(const json_t *full, json_t *takes_names)
{
    bool is_full = false;
    const json_t *name;
    size_t i;

    json_array_foreach(takes_names, i, name)
        is_full |= json_object_get(full, json_string_value(name)) != NULL;
    json_decref(takes_names);
    return is_full;
}

/* ---- friend_add, friend_import ---- */

#define ADD_MEMBERS                                                                                \
    {"To_Account", .kind = V4_TEXT, .required = true, .code = 30001},                              \
        {"Remark", .kind = V4_TEXT, .code = 30001, .max = 96},                                     \
        {"AddSource", .kind = V4_TEXT, .code = 30001, .max = 64},                                  \
    {                                                                                              \
        "AddWording", .kind = V4_TEXT, .code = 30001, .max = 256                                   \
    }

static const struct v4_field add_item[] = {
    ADD_MEMBERS,
    {"GroupName", .kind = V4_TEXT, .code = 30001, .max = GROUP_BYTES},
    V4_LAST,
};

static const struct v4_field friend_add_in[] = {
    FROM_MEMBER,
    {"AddFriendItem", .kind = V4_LIST, .required = true, .code = 30001, .min = 1, .max = NAMES_MAX,
     .of = add_item},
    {"AddType", .kind = V4_TEXT, .code = 30001},
    {"ForceAddFlags", .kind = V4_INT, .code = 30001},
    V4_LAST,
};

struct adding {
    struct naming naming;
    const json_t *items;
    size_t i;
    bool single;
    bool forced;
    bool asked; /* a request was tried already */
    json_t *blocks;
};

static json_t *group_of_add(const json_t *item)
{
    return names_of(json_object_get(item, "GroupName"));
}

static const json_t *added_item(const struct v4_call *c)
{
    const struct adding *adding = c->state;

    return json_array_get(adding->items, adding->i - 1);
}

/* What the user's own side says: members that the item has. */
static json_t *side_of(const json_t *item)
{
    json_t *custom = json_object();
    json_t *names = group_of_add(item);
    struct text remark = v4_text_in(item, "Remark");
    struct text source = v4_text_in(item, "AddSource");
    struct text wording = v4_text_in(item, "AddWording");
    const json_t *own;
    size_t i;

    if (text_present(source))
        json_object_set_new(custom, ADD_SOURCE, v4_json_text(source));
    if (text_present(wording))
        json_object_set_new(custom, ADD_WORDING, v4_json_text(wording));
    json_array_foreach(json_object_get(item, "CustomItem"), i, own) {
        struct text tag = v4_text_in(own, "Tag");
        const json_t *value = json_object_get(own, "Value");
        if (!text_starts_with(tag, TEXT(CUSTOM_PREFIX)))
            continue;
        json_object_set_new(
            custom, tag.ptr + sizeof(CUSTOM_PREFIX) - 1,
            json_is_string(value) ? json_incref((json_t *)value)
                                  : json_sprintf("%lld", (long long)json_integer_value(value)));
    }
    json_t *side = json_pack("{s:o, s:o}", "custom", custom, "groups", names);
    if (text_present(remark))
        json_object_set_new(side, "remark", v4_json_text(remark));
    return side;
}

static void next_add(struct v4_call *c);

static void end_add(struct v4_call *c)
{
    add_result(c, added_item(c), friend_number(c));
    next_add(c);
}

static void take_asked(struct v4_call *c)
{
    const json_t *item = added_item(c);

    if (c->step_err.code != ERR_NONE) {
        end_add(c);
        return;
    }
    if (text_equal(v4_text_in(v4_reply(c), "state"), TEXT("pending"))) {
        add_result(c, item, 30539);
        next_add(c);
        return;
    }
    struct v4_ask ask = ask_peer(c, item);
    ask.body = side_of(item);
    v4_ask(c, &friend_patch, &ask, end_add);
}

static void ask_to_be_friends(struct v4_call *c)
{
    const json_t *item = added_item(c);
    struct text wording = v4_text_in(item, "AddWording");
    struct text remark = v4_text_in(item, "Remark");
    struct adding *adding = c->state;
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", from_of(c))},
        .body = json_pack(
            "{s:o, s:o, s:o}", "to", v4_json_text(to_of(item)), "text", v4_json_text(wording),
            "remark", v4_json_text(remark)),
        .takes_errors = true};

    adding->asked = true;
    v4_ask(c, &friend_request_make, &ask, take_asked);
}

/* Who cannot be added at once may be asked. */
static void take_put(struct v4_call *c)
{
    const struct adding *adding = c->state;

    if (c->step_err.code == ERR_FRIEND_POLICY_REFUSES && !adding->asked)
        ask_to_be_friends(c);
    else
        end_add(c);
}

static void put_friend(struct v4_call *c)
{
    const struct adding *adding = c->state;
    const json_t *item = added_item(c);
    struct v4_ask ask = ask_peer(c, item);

    ask.body = side_of(item);
    json_object_set_new(ask.body, "one_way", json_boolean(adding->single));
    if (!adding->forced)
        ask.as_user = from_of(c);
    v4_ask(c, &friend_put, &ask, take_put);
}

/* To /v1 who has blocked another may still ask; here that stands in the way of both. */
static int block_number(const struct adding *adding, const json_t *item)
{
    const json_t *block = find_peer(adding->blocks, item);

    if (adding->forced)
        return 0;
    if (json_is_true(json_object_get(block, "blocked")))
        return 30515;
    return json_is_true(json_object_get(block, "blocked_by")) ? 30525 : 0;
}

static void next_add(struct v4_call *c)
{
    struct adding *adding = c->state;

    while (adding->i < json_array_size(adding->items)) {
        const json_t *item = json_array_get(adding->items, adding->i++);
        int number = block_number(adding, item);
        if (number == 0 && names_full(adding->naming.full, group_of_add(item)))
            number = 30011;
        adding->asked = false;
        if (number)
            add_result(c, item, number);
        else {
            if (adding->forced || adding->single)
                put_friend(c);
            else
                ask_to_be_friends(c);
            return;
        }
    }
}

static void add_with_blocks(struct v4_call *c)
{
    struct adding *adding = c->state;

    adding->blocks = by_peer(c);
    next_add(c);
}

static void add_with_groups(struct v4_call *c)
{
    const struct adding *adding = c->state;

    ask_about(c, &block_check, adding->items, add_with_blocks);
}

static void friend_add(struct v4_call *c)
{
    struct adding *adding = arena_alloc(c->op->arena, sizeof(*adding));
    struct text type = v4_text(c, "AddType");

    *adding = (struct adding){
        .naming = {.full = v4_owned(c, json_object()), .done = add_with_groups},
        .items = v4_get(c, "AddFriendItem"),
        .single = text_equal(type, TEXT("Add_Type_Single")),
        .forced = v4_int(c, "ForceAddFlags", 0) == 1,
    };
    c->state = adding;
    if (text_present(type) && !adding->single && !text_equal(type, TEXT("Add_Type_Both")))
        v4_fail(c, 30001, "AddType is not known");
    else
        make_groups(c, all_names(adding->items, group_of_add));
}

const struct v4_work v4_friend_add = {friend_add_in, results_out, friend_add};

static const struct v4_field tag_value[] = {
    {"Tag", .kind = V4_TEXT, .required = true, .code = 30001},
    {"Value", .kind = V4_ANY, .code = 30001},
    V4_LAST,
};

static const struct v4_field import_item[] = {
    ADD_MEMBERS,
    {"RemarkTime", .kind = V4_INT, .code = 30001},
    {"GroupName", .kind = V4_TEXTS, .code = 30001, .max = 32, .limit_code = 30011},
    {"AddTime", .kind = V4_INT, .code = 30001, .max = UINT32_MAX},
    {"CustomItem", .kind = V4_LIST, .code = 30001, .of = tag_value},
    V4_LAST,
};

static const struct v4_field friend_import_in[] = {
    FROM_MEMBER,
    {"AddFriendItem", .kind = V4_LIST, .required = true, .code = 30001, .min = 1, .max = NAMES_MAX,
     .of = import_item},
    V4_LAST,
};

struct importing {
    struct naming naming;
    const json_t *items;
    size_t i;
};

static json_t *import_of(const json_t *item)
{
    char time[CLOCK_TEXT];
    json_t *body = side_of(item);
    int64_t since_s = json_integer_value(json_object_get(item, "AddTime"));

    json_object_set(body, "peer", json_object_get(item, "To_Account"));
    json_object_set_new(body, "one_way", json_true());
    if (since_s)
        json_object_set_new(
            body, "friend_since", v4_json_text(clock_to_text(since_s * USEC_PER_SEC, time)));
    return body;
}

static void next_import(struct v4_call *c);

static void take_imported(struct v4_call *c)
{
    const json_t *result;
    size_t i;

    json_array_foreach(json_object_get(v4_reply(c), "results"), i, result) {
        enum err_code code = err_from_code(v4_text_in(json_object_get(result, "problem"), "code"));
        v4_result(
            c, "ResultItem", json_string_value(json_object_get(result, "peer")),
            code ? v4_number(V4_RELATIONS, code) : 0);
    }
    next_import(c);
}

static void next_import(struct v4_call *c)
{
    struct importing *importing = c->state;
    json_t *friends = json_array();

    while (importing->i < json_array_size(importing->items) &&
           json_array_size(friends) < IMPORT_MAX) {
        const json_t *item = json_array_get(importing->items, importing->i++);
        if (!v4_is_user(to_of(item)))
            add_result(c, item, 30003);
        else if (names_full(importing->naming.full, group_of_add(item)))
            add_result(c, item, 30011);
        else
            json_array_append_new(friends, import_of(item));
    }
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", from_of(c))}, .body = json_pack("{s:o}", "friends", friends)};
    if (json_array_size(friends))
        v4_ask(c, &friend_import, &ask, take_imported);
    else
        json_decref(ask.body);
}

static void import_friends(struct v4_call *c)
{
    struct importing *importing = arena_alloc(c->op->arena, sizeof(*importing));

    *importing = (struct importing){
        .naming = {.full = v4_owned(c, json_object()), .done = next_import},
        .items = v4_get(c, "AddFriendItem"),
    };
    c->state = importing;
    make_groups(c, all_names(importing->items, group_of_add));
}

const struct v4_work v4_friend_import = {friend_import_in, results_out, import_friends};

/* ---- friend_update ---- */

static const struct v4_field update_item[] = {
    {"To_Account", .kind = V4_TEXT, .required = true, .code = 30001},
    {"SnsItem", .kind = V4_LIST, .required = true, .code = 30001, .min = 1, .of = tag_value},
    V4_LAST,
};

static const struct v4_field friend_update_in[] = {
    FROM_MEMBER,
    {"UpdateItem", .kind = V4_LIST, .required = true, .code = 30001, .min = 1, .max = NAMES_MAX,
     .of = update_item},
    V4_LAST,
};

static json_t *groups_of_update(const json_t *item)
{
    const json_t *value;
    size_t i;

    json_array_foreach(json_object_get(item, "SnsItem"), i, value)
        if (text_equal(v4_text_in(value, "Tag"), TEXT("Tag_SNS_IM_Group")))
            return names_of(json_object_get(value, "Value"));
    return json_array();
}

static json_t *text_value(const json_t *value)
{
    if (json_is_integer(value))
        return json_sprintf("%lld", (long long)json_integer_value(value));
    return json_is_string(value) ? json_incref((json_t *)value) : json_string("");
}

/* Over the friend's own fields as they are; NULL when a tag may not be changed. */
static json_t *patch_of(const json_t *item, const json_t *friend)
{
    json_t *custom = json_copy(json_object_get(friend, "custom"));
    json_t *patch = json_pack("{s:o}", "custom", custom);
    const json_t *value;
    size_t i;

    json_array_foreach(json_object_get(item, "SnsItem"), i, value) {
        struct text tag = v4_text_in(value, "Tag");
        const json_t *new = json_object_get(value, "Value");
        if (text_equal(tag, TEXT("Tag_SNS_IM_Remark")))
            json_object_set_new(patch, "remark", text_value(new));
        else if (text_equal(tag, TEXT("Tag_SNS_IM_Group")))
            json_object_set_new(patch, "groups", names_of(new));
        else if (text_starts_with(tag, TEXT(CUSTOM_PREFIX)))
            json_object_set_new(custom, tag.ptr + sizeof(CUSTOM_PREFIX) - 1, text_value(new));
        else {
            json_decref(patch);
            return NULL;
        }
    }
    return patch;
}

static void ask_update(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    const struct naming *naming = c->state;

    if (names_full(naming->full, groups_of_update(item)))
        add_result(c, item, 30011);
    else
        *ret = ask_peer(c, item);
}

static void ask_patch(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    json_t *patch = patch_of(item, v4_reply(c));

    if (!patch)
        return;
    *ret = ask_peer(c, item);
    ret->body = patch;
}

/* A tag that may not be changed leaves the step at the reading. */
static void take_update(struct v4_call *c, const json_t *item)
{
    bool refused = c->step.operation == &friend_get && c->step_err.code == ERR_NONE;

    add_result(c, item, refused ? 30001 : friend_number(c));
}

static void update_with_groups(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "UpdateItem"),
        .operation = &friend_get,
        .ask = ask_update,
        .then = &friend_patch,
        .then_ask = ask_patch,
        .take = take_update};

    v4_for_each(c, &each);
}

static void friend_update(struct v4_call *c)
{
    struct naming *naming = arena_alloc(c->op->arena, sizeof(*naming));

    *naming = (struct naming){v4_owned(c, json_object()), update_with_groups};
    c->state = naming;
    make_groups(c, all_names(v4_get(c, "UpdateItem"), groups_of_update));
}

const struct v4_work v4_friend_update = {friend_update_in, results_out, friend_update};

/* ---- friend_delete, friend_delete_all ---- */

static const struct v4_field friend_delete_in[] = {
    FROM_MEMBER,
    TO_MEMBER,
    {"DeleteType", .kind = V4_TEXT, .code = 30001},
    V4_LAST,
};

static bool is_friend(const json_t *relations, const json_t *item)
{
    struct text relation = v4_text_in(find_peer(relations, item), "relation");

    return text_equal(relation, TEXT("mutual")) || text_equal(relation, TEXT("outgoing"));
}

static bool is_unknown(const json_t *relations, const json_t *item)
{
    const json_t *relation = find_peer(relations, item);

    return !relation || text_equal(v4_text_in(relation, "relation"), TEXT("unknown"));
}

/* Delete_Type_Single stands where nothing is said. */
static struct param one_way_of(const struct v4_call *c)
{
    bool both = text_equal(v4_text(c, "DeleteType"), TEXT("Delete_Type_Both"));

    return (struct param)V4_PARAM("one_way", both ? TEXT("false") : TEXT("true"));
}

static void ask_delete(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    if (!is_friend(c->state, item)) {
        add_result(c, item, is_unknown(c->state, item) ? 30003 : 31704);
        return;
    }
    *ret = ask_peer(c, item);
    ret->query[0] = one_way_of(c);
}

static void take_result(struct v4_call *c, const json_t *item)
{
    add_result(c, item, friend_number(c));
}

static void delete_with_relations(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "To_Account"),
        .operation = &friend_delete,
        .ask = ask_delete,
        .take = take_result};

    c->state = by_peer(c);
    v4_for_each(c, &each);
}

static void delete_friends(struct v4_call *c)
{
    ask_about(c, &friend_check, v4_get(c, "To_Account"), delete_with_relations);
}

const struct v4_work v4_friend_delete = {friend_delete_in, results_out, delete_friends};

static const struct v4_field friend_delete_all_in[] = {
    FROM_MEMBER,
    {"DeleteType", .kind = V4_TEXT, .code = 30001},
    V4_LAST,
};

static void delete_some_friends(struct v4_call *c);

static void take_some_deleted(struct v4_call *c)
{
    if (json_is_true(json_object_get(v4_reply(c), "more")))
        delete_some_friends(c);
}

static void delete_some_friends(struct v4_call *c)
{
    const struct v4_ask ask = {.path = {V4_PARAM("user", from_of(c))}, .query = {one_way_of(c)}};

    v4_ask(c, &friend_delete_all, &ask, take_some_deleted);
}

const struct v4_work v4_friend_delete_all = {friend_delete_all_in, v4_nothing, delete_some_friends};

/* ---- friend_check, black_list_check ---- */

#define CHECK_MEMBERS                                                                              \
    FROM_MEMBER, TO_MEMBER,                                                                        \
    {                                                                                              \
        "CheckType", .kind = V4_TEXT, .required = true, .code = 30001                              \
    }

static const struct v4_field check_in[] = {CHECK_MEMBERS, V4_LAST};

static const struct v4_field friend_check_out[] = {
    {"InfoItem", .kind = V4_LIST, .of = result_item},
    {"Fail_Account", .kind = V4_TEXTS},
    V4_LAST,
};

/* 1: I have the other, 2: the other has me. */
static const char *relation_word(int bits, bool single, const char *const words[4])
{
    return words[single ? (bits & 1) : bits];
}

static int friend_bits(const json_t *checked)
{
    struct text relation = v4_text_in(checked, "relation");

    if (text_equal(relation, TEXT("mutual")))
        return 3;
    return text_equal(relation, TEXT("outgoing"))   ? 1
           : text_equal(relation, TEXT("incoming")) ? 2
                                                    : 0;
}

static int block_bits(const json_t *checked)
{
    return (json_is_true(json_object_get(checked, "blocked")) ? 1 : 0) |
           (json_is_true(json_object_get(checked, "blocked_by")) ? 2 : 0);
}

struct checking {
    const char *list;
    const char *single;
    const char *both;
    const char *words[4];
    int (*bits)(const json_t *checked);
    const struct operation *operation;
};

static const struct checking friend_checking = {
    "InfoItem",
    "CheckResult_Type_Single",
    "CheckResult_Type_Both",
    {"CheckResult_Type_NoRelation", "CheckResult_Type_AWithB", "CheckResult_Type_BWithA",
     "CheckResult_Type_BothWay"},
    friend_bits,
    &friend_check,
};

static const struct checking block_checking = {
    "BlackListCheckItem",
    "BlackCheckResult_Type_Single",
    "BlackCheckResult_Type_Both",
    {"BlackCheckResult_Type_NO", "BlackCheckResult_Type_AWithB", "BlackCheckResult_Type_BWithA",
     "BlackCheckResult_Type_BothWay"},
    block_bits,
    &block_check,
};

static void take_checked(struct v4_call *c)
{
    const struct checking *checking = c->state;
    bool single = text_equal(v4_text(c, "CheckType"), text_of(checking->single));
    json_t *checked = by_peer(c);
    const json_t *item;
    size_t i;

    json_array_foreach(v4_get(c, "To_Account"), i, item) {
        const json_t *found = find_peer(checked, item);
        json_t *entry = v4_result(
            c, checking->list, json_string_value(item), is_unknown(checked, item) ? 30003 : 0);
        json_object_set_new(
            entry, "Relation",
            json_string(relation_word(checking->bits(found), single, checking->words)));
    }
}

static void check(struct v4_call *c, const struct checking *checking)
{
    struct text type = v4_text(c, "CheckType");

    c->state = (void *)checking;
    if (text_equal(type, text_of(checking->single)) || text_equal(type, text_of(checking->both)))
        ask_about(c, checking->operation, v4_get(c, "To_Account"), take_checked);
    else
        v4_fail(c, 30001, "CheckType is not known");
}

static void check_friends(struct v4_call *c)
{
    check(c, &friend_checking);
}

const struct v4_work v4_friend_check = {check_in, friend_check_out, check_friends};

static const struct v4_field black_list_check_out[] = {
    {"BlackListCheckItem", .kind = V4_LIST, .of = result_item},
    {"Fail_Account", .kind = V4_TEXTS},
    V4_LAST,
};

static void check_blocks(struct v4_call *c)
{
    check(c, &block_checking);
}

const struct v4_work v4_black_list_check = {check_in, black_list_check_out, check_blocks};

/* ---- friends out ---- */

static json_t *tag_of_friend(struct text tag, const json_t *friend)
{
    const json_t *custom = json_object_get(friend, "custom");
    json_t *value = NULL;
    int64_t since_us = 0;

    if (text_equal(tag, TEXT("Tag_SNS_IM_AddTime")))
        return clock_from_text(v4_text_in(friend, "friend_since"), &since_us)
                   ? json_integer(since_us / USEC_PER_SEC)
                   : NULL;
    if (text_equal(tag, TEXT("Tag_SNS_IM_Group"))) {
        value = json_object_get(friend, "groups");
        return json_array_size(value) ? json_incref(value) : NULL;
    }
    if (text_equal(tag, TEXT("Tag_SNS_IM_Remark")))
        value = json_object_get(friend, "remark");
    else if (text_equal(tag, TEXT("Tag_SNS_IM_AddSource")))
        value = json_object_get(custom, ADD_SOURCE);
    else if (text_equal(tag, TEXT("Tag_SNS_IM_AddWording")))
        value = json_object_get(custom, ADD_WORDING);
    else if (text_starts_with(tag, TEXT(CUSTOM_PREFIX)))
        value = json_object_get(custom, tag.ptr + sizeof(CUSTOM_PREFIX) - 1);
    return json_string_length(value) ? json_incref(value) : NULL;
}

static void add_standard(json_t *items, const json_t *friend)
{
    static const char *const names[] = {"Tag_SNS_IM_AddSource",  "Tag_SNS_IM_Remark",
                                        "Tag_SNS_IM_Group",      "Tag_SNS_IM_AddTime",
                                        "Tag_SNS_IM_AddWording", NULL};

    for (const char *const *name = names; *name; name++) {
        json_t *tag = json_string(*name);
        v4_add_tag(items, tag, tag_of_friend(text_of(*name), friend));
        json_decref(tag);
    }
}

static void add_custom(json_t *items, const json_t *friend)
{
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(friend, "custom"), name, value) {
        if (strcmp(name, ADD_SOURCE) == 0 || strcmp(name, ADD_WORDING) == 0)
            continue;
        json_t *tag = json_sprintf(CUSTOM_PREFIX "%s", name);
        v4_add_tag(items, tag, json_incref(value));
        json_decref(tag);
    }
}

/* ---- friend_get ---- */

static const struct v4_field friend_get_in[] = {
    FROM_MEMBER,
    {"StartIndex", .kind = V4_INT, .code = 30001, .max = INT32_MAX},
    {"StandardSequence", .kind = V4_INT, .code = 30001},
    {"CustomSequence", .kind = V4_INT, .code = 30001},
    V4_LAST,
};

static const struct v4_field user_data[] = {
    {"To_Account", .kind = V4_TEXT},
    {"ValueItem", .kind = V4_LIST, .of = tag_value},
    V4_LAST,
};

static const struct v4_field friend_get_out[] = {
    {"UserDataItem", .kind = V4_LIST, .of = user_data},
    {"StandardSequence", .kind = V4_INT},
    {"CustomSequence", .kind = V4_INT},
    {"FriendNum", .kind = V4_INT},
    {"CompleteFlag", .kind = V4_INT},
    {"NextStartIndex", .kind = V4_INT},
    V4_LAST,
};

static json_t *values_of(const json_t *friend, bool standard, bool custom)
{
    json_t *items = json_array();

    if (standard)
        add_standard(items, friend);
    if (custom)
        add_custom(items, friend);
    return items;
}

static int64_t sequence_of_all(const json_t *friends, bool custom)
{
    json_t *all = json_array();
    const json_t *friend;
    size_t i;

    json_array_foreach(friends, i, friend)
        json_array_append_new(
            all,
            json_pack(
                "[O, o]", json_object_get(friend, "peer"), values_of(friend, !custom, custom)));
    int64_t sequence = sequence_of(all);
    json_decref(all);
    return sequence;
}

static void take_friends(struct v4_call *c)
{
    int64_t standard = sequence_of_all(c->listed, false);
    int64_t custom = sequence_of_all(c->listed, true);
    bool with_standard = v4_int(c, "StandardSequence", 0) != standard;
    bool with_custom = v4_int(c, "CustomSequence", 0) != custom;
    size_t n = json_array_size(c->listed);
    size_t first = (size_t)v4_int(c, "StartIndex", 0);
    size_t end = n < PAGE || first >= n - PAGE ? n : first + PAGE;
    json_t *list = json_array();

    for (size_t i = first; i < end; i++) {
        const json_t *friend = json_array_get(c->listed, i);
        json_array_append_new(
            list, json_pack(
                      "{s:O, s:o}", "To_Account", json_object_get(friend, "peer"), "ValueItem",
                      values_of(friend, with_standard, with_custom)));
    }
    if (with_standard || with_custom)
        v4_answer(c, "UserDataItem", list);
    else
        json_decref(list);
    v4_answer(c, "StandardSequence", json_integer(standard));
    v4_answer(c, "CustomSequence", json_integer(custom));
    v4_answer(c, "FriendNum", json_integer((json_int_t)n));
    v4_answer(c, "CompleteFlag", json_integer(end == n));
    v4_answer(c, "NextStartIndex", json_integer(end == n ? 0 : (json_int_t)end));
}

static void get_friends(struct v4_call *c)
{
    const struct v4_listing listing = {&friend_list, from_of(c), take_friends};

    v4_list_all(c, &listing);
}

const struct v4_work v4_friend_get = {friend_get_in, friend_get_out, get_friends};

/* ---- friend_get_list ---- */

static const struct v4_field friend_get_list_in[] = {
    FROM_MEMBER,
    TO_MEMBER,
    {"TagList", .kind = V4_TEXTS, .required = true, .code = 30001, .min = 1, .max = 100},
    V4_LAST,
};

static const struct v4_field info_item[] = {
    {"To_Account", .kind = V4_TEXT},
    {"SnsProfileItem", .kind = V4_LIST, .of = tag_value},
    {"ResultCode", .kind = V4_INT},
    {"ResultInfo", .kind = V4_TEXT},
    V4_LAST,
};

static const struct v4_field friend_get_list_out[] = {
    {"InfoItem", .kind = V4_LIST, .of = info_item},
    {"Fail_Account", .kind = V4_TEXTS},
    V4_LAST,
};

static void ask_friend(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    *ret = ask_peer(c, item);
}

/* The profile, too, where a tag of it is wanted; c->state is the friend. */
static void ask_profile(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    const json_t *tag;
    size_t i;

    c->state = v4_owned(c, json_incref((json_t *)v4_reply(c)));
    json_array_foreach(v4_get(c, "TagList"), i, tag)
        if (v4_is_profile_tag(v4_text_of(tag)))
            ret->path[0] = (struct param)V4_PARAM("user", to_of(item));
}

static void take_friend(struct v4_call *c, const json_t *item)
{
    json_t *entry = v4_result(c, "InfoItem", json_string_value(item), friend_number(c));
    const json_t *tag;
    size_t i;

    if (c->step_err.code != ERR_NONE)
        return;
    json_t *items = json_array();
    json_array_foreach(v4_get(c, "TagList"), i, tag) {
        struct text name = v4_text_of(tag);
        v4_add_tag(
            items, tag,
            v4_is_profile_tag(name) ? v4_profile_value(name, v4_reply(c))
                                    : tag_of_friend(name, c->state));
    }
    json_object_set_new(entry, "SnsProfileItem", items);
}

static void friend_get_list(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "To_Account"),
        .operation = &friend_get,
        .ask = ask_friend,
        .then = &user_get,
        .then_ask = ask_profile,
        .take = take_friend};

    v4_for_each(c, &each);
}

const struct v4_work v4_friend_get_list = {
    friend_get_list_in, friend_get_list_out, friend_get_list};

/* ---- blocklist ---- */

static const struct v4_field black_list_in[] = {FROM_MEMBER, TO_MEMBER, V4_LAST};

static void ask_block(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    if (json_is_true(json_object_get(find_peer(c->state, item), "blocked")))
        add_result(c, item, 30001);
    else
        *ret = ask_peer(c, item);
}

/* A block ends the friendship of both. */
static void ask_unfriend(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    *ret = ask_peer(c, item);
}

static void block_with_blocks(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "To_Account"),
        .operation = &block_put,
        .ask = ask_block,
        .then = &friend_delete,
        .then_ask = ask_unfriend,
        .take = take_result};

    c->state = by_peer(c);
    v4_for_each(c, &each);
}

static void black_list_add(struct v4_call *c)
{
    ask_about(c, &block_check, v4_get(c, "To_Account"), block_with_blocks);
}

const struct v4_work v4_black_list_add = {black_list_in, results_out, black_list_add};

/* Whoever asks must be there; whom it is about need not be. */
static void take_unblocked(struct v4_call *c, const json_t *item)
{
    bool asker = c->step_err.fields && strcmp(c->step_err.fields->pointer, "/user") == 0;

    if (c->step_err.code == ERR_USER_UNKNOWN && (asker || !c->step_err.fields))
        v4_fail_step(c);
    else
        take_result(c, item);
}

static void black_list_delete(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "To_Account"),
        .operation = &block_delete,
        .ask = ask_friend,
        .take = take_unblocked};

    v4_for_each(c, &each);
}

const struct v4_work v4_black_list_delete = {black_list_in, results_out, black_list_delete};

static const struct v4_field black_list_get_in[] = {
    FROM_MEMBER,
    {"StartIndex", .kind = V4_INT, .code = 30001, .max = INT32_MAX},
    {"MaxLimited", .kind = V4_INT, .code = 30001},
    {"LastSequence", .kind = V4_INT, .code = 30001},
    V4_LAST,
};

static const struct v4_field black_list_item[] = {
    {"To_Account", .kind = V4_TEXT},
    {"AddBlackTimeStamp", .kind = V4_INT},
    V4_LAST,
};

static const struct v4_field black_list_get_out[] = {
    {"BlackListItem", .kind = V4_LIST, .of = black_list_item},
    {"StartIndex", .kind = V4_INT},
    {"CurruentSequence", .kind = V4_INT},
    {"CurrentSequence", .kind = V4_INT},
    V4_LAST,
};

static void take_blocks(struct v4_call *c)
{
    int64_t wanted = v4_int(c, "MaxLimited", 0);
    size_t page = wanted > 0 && wanted < NAMES_MAX ? (size_t)wanted : PAGE;
    size_t n = json_array_size(c->listed);
    size_t first = (size_t)v4_int(c, "StartIndex", 0);
    size_t end = n < page || first >= n - page ? n : first + page;
    json_t *list = json_array();
    int64_t sequence = sequence_of(c->listed);

    for (size_t i = first; i < end; i++) {
        const json_t *block = json_array_get(c->listed, i);
        int64_t at_us = 0;
        clock_from_text(v4_text_in(block, "blocked_at"), &at_us);
        json_array_append_new(
            list, json_pack(
                      "{s:O, s:I}", "To_Account", json_object_get(block, "peer"),
                      "AddBlackTimeStamp", at_us / USEC_PER_SEC));
    }
    v4_answer(c, "BlackListItem", list);
    v4_answer(c, "StartIndex", json_integer(end == n ? 0 : (json_int_t)end));
    /* The service spells it so, some SDKs read it spelled right. */
    v4_answer(c, "CurruentSequence", json_integer(sequence));
    v4_answer(c, "CurrentSequence", json_integer(sequence));
}

static void black_list_get(struct v4_call *c)
{
    const struct v4_listing listing = {&block_list, from_of(c), take_blocks};

    v4_list_all(c, &listing);
}

const struct v4_work v4_black_list_get = {black_list_get_in, black_list_get_out, black_list_get};

/* ---- groups ---- */

static void ask_groups(struct v4_call *c, v4_next *next)
{
    const struct v4_ask ask = {.path = {V4_PARAM("user", from_of(c))}};

    v4_ask(c, &friend_group_list, &ask, next);
}

static void answer_sequence(struct v4_call *c)
{
    v4_answer(
        c, "CurrentSequence", json_integer(sequence_of(json_object_get(v4_reply(c), "items"))));
}

static void end_with_sequence(struct v4_call *c)
{
    ask_groups(c, answer_sequence);
}

static const struct v4_field group_add_in[] = {
    FROM_MEMBER,
    {"GroupName", .kind = V4_TEXTS, .required = true, .code = 30001, .min = 1, .max = 32,
     .limit_code = 30011},
    {"To_Account", .kind = V4_TEXTS, .code = 30001, .max = NAMES_MAX},
    V4_LAST,
};

static const struct v4_field group_add_out[] = {
    {"ResultItem", .kind = V4_LIST, .of = result_item},
    {"Fail_Account", .kind = V4_TEXTS},
    {"CurrentSequence", .kind = V4_INT},
    V4_LAST,
};

static void ask_into_groups(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    json_t *both = json_pack(
        "[{s:O}, {s:O}]", "GroupName", json_object_get(v4_reply(c), "groups"), "GroupName",
        (json_t *)v4_get(c, "GroupName"));

    *ret = ask_peer(c, item);
    ret->body = json_pack("{s:o}", "groups", all_names(both, group_of_add));
    json_decref(both);
}

static void take_into_groups(struct v4_call *c, const json_t *item)
{
    bool no_friend = c->step_err.code == ERR_FRIEND_UNKNOWN;

    add_result(c, item, no_friend ? 32216 : friend_number(c));
}

static void groups_made(struct v4_call *c)
{
    const struct naming *naming = c->state;
    const struct v4_each each = {
        .items = v4_get(c, "To_Account"),
        .operation = &friend_get,
        .ask = ask_friend,
        .then = &friend_patch,
        .then_ask = ask_into_groups,
        .take = take_into_groups,
        .done = end_with_sequence};

    if (json_object_size(naming->full))
        v4_fail(c, 30011, "there are as many groups as are allowed");
    else
        v4_for_each(c, &each);
}

static void group_add(struct v4_call *c)
{
    struct naming *naming = arena_alloc(c->op->arena, sizeof(*naming));

    *naming = (struct naming){v4_owned(c, json_object()), groups_made};
    c->state = naming;
    make_groups(c, names_of(v4_get(c, "GroupName")));
}

const struct v4_work v4_group_add = {group_add_in, group_add_out, group_add};

static const struct v4_field group_delete_in[] = {
    FROM_MEMBER,
    {"GroupName", .kind = V4_TEXTS, .required = true, .code = 30001, .min = 1, .max = 32},
    V4_LAST,
};

static const struct v4_field group_delete_out[] = {
    {"CurrentSequence", .kind = V4_INT},
    V4_LAST,
};

static void take_deleted(struct v4_call *c, const json_t *item)
{
    (void)item;
    if (c->step_err.code != ERR_NONE)
        v4_fail_step(c);
}

static void group_delete(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "GroupName"),
        .operation = &friend_group_delete,
        .ask = ask_group,
        .take = take_deleted,
        .done = end_with_sequence};

    v4_for_each(c, &each);
}

const struct v4_work v4_group_delete = {group_delete_in, group_delete_out, group_delete};

static const struct v4_field group_get_in[] = {
    FROM_MEMBER,
    {"LastSequence", .kind = V4_INT, .code = 30001},
    {"NeedFriend", .kind = V4_TEXT, .code = 30001},
    {"GroupName", .kind = V4_TEXTS, .code = 30001},
    V4_LAST,
};

static const struct v4_field group_entry[] = {
    {"GroupName", .kind = V4_TEXT},
    {"FriendNumber", .kind = V4_INT},
    {"To_Account", .kind = V4_TEXTS},
    V4_LAST,
};

static const struct v4_field group_get_out[] = {
    {"ResultItem", .kind = V4_LIST, .of = group_entry},
    {"CurrentSequence", .kind = V4_INT},
    V4_LAST,
};

static bool holds(const json_t *array, const json_t *value)
{
    const json_t *member;
    size_t i;

    json_array_foreach(array, i, member)
        if (json_equal(member, value))
            return true;
    return false;
}

static json_t *members_of(const json_t *friends, const json_t *name)
{
    json_t *members = json_array();
    const json_t *friend;
    size_t i;

    json_array_foreach(friends, i, friend)
        if (holds(json_object_get(friend, "groups"), name))
            json_array_append(members, json_object_get(friend, "peer"));
    return members;
}

/* c->listed is there where the friends are wanted. */
static void answer_groups(struct v4_call *c)
{
    const json_t *wanted = v4_get(c, "GroupName");
    json_t *list = json_array();
    const json_t *group;
    size_t i;

    json_array_foreach(json_object_get(v4_reply(c), "items"), i, group) {
        const json_t *name = json_object_get(group, "name");
        if (json_array_size(wanted) && !holds(wanted, name))
            continue;
        json_t *entry = json_pack(
            "{s:O, s:O}", "GroupName", name, "FriendNumber", json_object_get(group, "friends"));
        if (c->listed)
            json_object_set_new(entry, "To_Account", members_of(c->listed, name));
        json_array_append_new(list, entry);
    }
    answer_sequence(c);
    v4_answer(c, "ResultItem", list);
}

static void groups_with_friends(struct v4_call *c)
{
    ask_groups(c, answer_groups);
}

static void group_get(struct v4_call *c)
{
    const struct v4_listing listing = {&friend_list, from_of(c), groups_with_friends};

    if (text_equal(v4_text(c, "NeedFriend"), TEXT("Need_Friend_Type_Yes")))
        v4_list_all(c, &listing);
    else
        ask_groups(c, answer_groups);
}

const struct v4_work v4_group_get = {group_get_in, group_get_out, group_get};
