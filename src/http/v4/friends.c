/* sns: friends are added, imported, changed and deleted. */
#include "base/clock.h"
#include "http/v4/sns.h"

#define IMPORT_MAX 100

static bool is_friend(const json_t *relations, const json_t *item)
{
    struct text relation = v4_text_in(sns_find(relations, item), "relation");

    return text_equal(relation, TEXT("mutual")) || text_equal(relation, TEXT("outgoing"));
}

/* ---- friend_add, friend_import ---- */

/* How long each may be is for /v1 to say: what is too long fails alone, and not the whole call. */
#define ADD_MEMBERS                                                                                \
    {"To_Account", .kind = V4_TEXT, .required = true, .code = 30001},                              \
        {"Remark", .kind = V4_TEXT, .code = 30001}, {"AddSource", .kind = V4_TEXT, .code = 30001}, \
    {                                                                                              \
        "AddWording", .kind = V4_TEXT, .code = 30001                                               \
    }

static const struct v4_field add_item[] = {
    ADD_MEMBERS,
    {"GroupName", .kind = V4_TEXT, .code = 30001},
    V4_LAST,
};

static const struct v4_field friend_add_in[] = {
    SNS_FROM_MEMBER,
    {"AddFriendItem", .kind = V4_LIST, .required = true, .code = 30001, .min = 1,
     .max = SNS_NAMES_MAX, .of = add_item},
    {"AddType", .kind = V4_TEXT, .code = 30001},
    {"ForceAddFlags", .kind = V4_INT, .code = 30001},
    V4_LAST,
};

struct adding {
    struct sns_naming naming;
    const json_t *items;
    size_t i;
    bool single;
    bool forced;
    bool asked; /* a request was tried already */
    json_t *relations;
    json_t *blocks;
    json_t *before; /* what was said of the one at work already; NULL: is no friend yet */
};

static const json_t *added_item(const struct v4_call *c)
{
    const struct adding *adding = c->state;

    return json_array_get(adding->items, adding->i - 1);
}

static json_t *text_value(const json_t *value)
{
    if (json_is_integer(value))
        return json_sprintf("%lld", (long long)json_integer_value(value));
    return json_is_string(value) ? json_incref((json_t *)value) : json_string("");
}

/* What /v1 calls a field of a friend's own; absent when the tag is none. */
static struct text own_name(struct text tag)
{
    struct text prefix = TEXT(SNS_CUSTOM_PREFIX);

    if (!text_starts_with(tag, prefix) || tag.len == prefix.len)
        return TEXT_ABSENT;
    struct text name = {tag.ptr + prefix.len, tag.len - prefix.len};
    return text_starts_with(name, TEXT(V4_OWN_PREFIX)) ? TEXT_ABSENT : name;
}

static bool has_own_names(const json_t *item)
{
    const json_t *own;
    size_t i;

    json_array_foreach(json_object_get(item, "CustomItem"), i, own)
        if (!text_present(own_name(v4_text_in(own, "Tag"))))
            return false;
    return true;
}

static json_t *custom_of(const json_t *item, const json_t *before)
{
    json_t *custom = before ? json_copy(json_object_get(before, "custom")) : json_object();
    struct text source = v4_text_in(item, "AddSource");
    struct text wording = v4_text_in(item, "AddWording");
    const json_t *own;
    size_t i;

    if (text_present(source))
        json_object_set_new(custom, SNS_ADD_SOURCE, v4_json_text(source));
    if (text_present(wording))
        json_object_set_new(custom, SNS_ADD_WORDING, v4_json_text(wording));
    json_array_foreach(json_object_get(item, "CustomItem"), i, own)
        json_object_set_new(
            custom, own_name(v4_text_in(own, "Tag")).ptr,
            text_value(json_object_get(own, "Value")));
    return custom;
}

/* What the user's own side says: members that the item has, beside what was said before. */
static json_t *side_of(const json_t *item, const json_t *before)
{
    json_t *names =
        sns_joined(json_object_get(before, "groups"), json_object_get(item, "GroupName"));
    json_t *side = json_pack("{s:o, s:o}", "custom", custom_of(item, before), "groups", names);
    struct text remark = v4_text_in(item, "Remark");

    if (text_present(remark))
        json_object_set_new(side, "remark", v4_json_text(remark));
    else if (before)
        json_object_set(side, "remark", json_object_get(before, "remark"));
    return side;
}

static void next_add(struct v4_call *c);

static void end_add(struct v4_call *c)
{
    sns_result(c, added_item(c), sns_number(c));
    next_add(c);
}

static void take_asked(struct v4_call *c)
{
    const struct adding *adding = c->state;
    const json_t *item = added_item(c);

    if (c->step_err.code != ERR_NONE) {
        end_add(c);
        return;
    }
    if (text_equal(v4_text_in(v4_reply(c), "state"), TEXT("pending"))) {
        sns_result(c, item, 30539);
        next_add(c);
        return;
    }
    struct v4_ask ask = sns_ask_peer(c, item);
    ask.body = side_of(item, adding->before);
    v4_ask(c, &friend_patch, &ask, end_add);
}

static void ask_to_be_friends(struct v4_call *c)
{
    const json_t *item = added_item(c);
    struct text wording = v4_text_in(item, "AddWording");
    struct text remark = v4_text_in(item, "Remark");
    struct adding *adding = c->state;
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", sns_from(c))},
        .body = json_pack(
            "{s:o, s:o, s:o}", "to", v4_json_text(sns_peer(item)), "text", v4_json_text(wording),
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
    struct v4_ask ask = sns_ask_peer(c, item);

    ask.body = side_of(item, adding->before);
    json_object_set_new(ask.body, "one_way", json_boolean(adding->single));
    if (!adding->forced)
        ask.as_user = sns_from(c);
    v4_ask(c, &friend_put, &ask, take_put);
}

/* To /v1 who has blocked another may still ask; here that stands in the way of both. */
static int block_number(const struct adding *adding, const json_t *item)
{
    const json_t *block = sns_find(adding->blocks, item);

    if (adding->forced)
        return 0;
    if (json_is_true(json_object_get(block, "blocked")))
        return 30515;
    return json_is_true(json_object_get(block, "blocked_by")) ? 30525 : 0;
}

static void add(struct v4_call *c)
{
    struct adding *adding = c->state;

    adding->asked = false;
    if (adding->forced || adding->single)
        put_friend(c);
    else
        ask_to_be_friends(c);
}

/* What was said of somebody who is a friend already stays, where the item says nothing else. */
static void take_before(struct v4_call *c)
{
    struct adding *adding = c->state;

    if (c->step_err.code == ERR_NONE)
        adding->before = v4_owned(c, json_incref((json_t *)v4_reply(c)));
    add(c);
}

static void next_add(struct v4_call *c)
{
    struct adding *adding = c->state;

    while (adding->i < json_array_size(adding->items)) {
        const json_t *item = json_array_get(adding->items, adding->i++);
        int number = block_number(adding, item);
        if (number == 0)
            number = sns_names_number(adding->naming.refused, sns_group_of(item));
        if (number) {
            sns_result(c, item, number);
            continue;
        }
        adding->before = NULL;
        if (is_friend(adding->relations, item)) {
            const struct v4_ask ask = sns_ask_peer(c, item);
            v4_ask(c, &friend_get, &ask, take_before);
        } else {
            add(c);
        }
        return;
    }
}

static void add_with_blocks(struct v4_call *c)
{
    struct adding *adding = c->state;

    adding->blocks = sns_by_peer(c);
    next_add(c);
}

static void add_with_relations(struct v4_call *c)
{
    struct adding *adding = c->state;

    adding->relations = sns_by_peer(c);
    sns_ask_about(c, &block_check, adding->items, add_with_blocks);
}

static void add_with_groups(struct v4_call *c)
{
    const struct adding *adding = c->state;

    sns_ask_about(c, &friend_check, adding->items, add_with_relations);
}

static void friend_add(struct v4_call *c)
{
    struct adding *adding = arena_alloc(c->op->arena, sizeof(*adding));
    struct text type = v4_text(c, "AddType");

    *adding = (struct adding){
        .naming = {.refused = v4_owned(c, json_object()), .done = add_with_groups},
        .items = v4_get(c, "AddFriendItem"),
        .single = text_equal(type, TEXT("Add_Type_Single")),
        .forced = v4_int(c, "ForceAddFlags", 0) == 1,
    };
    c->state = adding;
    if (text_present(type) && !adding->single && !text_equal(type, TEXT("Add_Type_Both")))
        v4_fail(c, 30001, "AddType is not known");
    else
        sns_make_groups(c, sns_all_names(adding->items, sns_group_of));
}

const struct v4_work v4_friend_add = {friend_add_in, sns_results_out, friend_add};

static const struct v4_field import_item[] = {
    ADD_MEMBERS,
    {"RemarkTime", .kind = V4_INT, .code = 30001},
    {"GroupName", .kind = V4_TEXTS, .code = 30001, .max = 32, .limit_code = 30011},
    {"AddTime", .kind = V4_INT, .code = 30001, .max = UINT32_MAX},
    {"CustomItem", .kind = V4_LIST, .code = 30001, .of = sns_tag_value},
    V4_LAST,
};

static const struct v4_field friend_import_in[] = {
    SNS_FROM_MEMBER,
    {"AddFriendItem", .kind = V4_LIST, .required = true, .code = 30001, .min = 1,
     .max = SNS_NAMES_MAX, .of = import_item},
    V4_LAST,
};

struct importing {
    struct sns_naming naming;
    const json_t *items;
    size_t i;
};

static json_t *import_of(const json_t *item)
{
    char time[CLOCK_TEXT];
    json_t *body = side_of(item, NULL);
    int64_t since_s = json_integer_value(json_object_get(item, "AddTime"));

    json_object_set(body, "peer", json_object_get(item, "To_Account"));
    json_object_set_new(body, "one_way", json_true());
    if (since_s)
        json_object_set_new(
            body, "friend_since", v4_json_text(clock_to_text(since_s * USEC_PER_SEC, time)));
    return body;
}

static void next_import(struct v4_call *c);

static void fail_all(struct v4_call *c, const json_t *friends, int number)
{
    const json_t *friend;
    size_t i;

    json_array_foreach(friends, i, friend)
        v4_result(c, "ResultItem", json_string_value(json_object_get(friend, "peer")), number);
}

/* Where all of them are not of the right form there are no results. */
static void take_imported(struct v4_call *c)
{
    const json_t *friends = json_object_get(c->step.body, "friends");
    const json_t *result;
    size_t i;

    if (c->step_err.code == ERR_INVALID_REQUEST) {
        fail_all(c, friends, v4_step_number(c));
    } else if (c->step_err.code != ERR_NONE) {
        v4_fail_step(c);
        return;
    }
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
        int number = sns_names_number(importing->naming.refused, sns_group_of(item));
        if (!has_own_names(item))
            number = 30001;
        if (!v4_is_user(sns_peer(item)))
            sns_result(c, item, 30003);
        else if (number)
            sns_result(c, item, number);
        else
            json_array_append_new(friends, import_of(item));
    }
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", sns_from(c))},
        .body = json_pack("{s:o}", "friends", friends),
        .takes_errors = true};
    if (json_array_size(friends))
        v4_ask(c, &friend_import, &ask, take_imported);
    else
        json_decref(ask.body);
}

static void import_friends(struct v4_call *c)
{
    struct importing *importing = arena_alloc(c->op->arena, sizeof(*importing));

    *importing = (struct importing){
        .naming = {.refused = v4_owned(c, json_object()), .done = next_import},
        .items = v4_get(c, "AddFriendItem"),
    };
    c->state = importing;
    sns_make_groups(c, sns_all_names(importing->items, sns_group_of));
}

const struct v4_work v4_friend_import = {friend_import_in, sns_results_out, import_friends};

/* ---- friend_update ---- */

static const struct v4_field update_item[] = {
    {"To_Account", .kind = V4_TEXT, .required = true, .code = 30001},
    {"SnsItem", .kind = V4_LIST, .required = true, .code = 30001, .min = 1, .of = sns_tag_value},
    V4_LAST,
};

static const struct v4_field friend_update_in[] = {
    SNS_FROM_MEMBER,
    {"UpdateItem", .kind = V4_LIST, .required = true, .code = 30001, .min = 1, .max = SNS_NAMES_MAX,
     .of = update_item},
    V4_LAST,
};

static json_t *groups_of_update(const json_t *item)
{
    const json_t *value;
    size_t i;

    json_array_foreach(json_object_get(item, "SnsItem"), i, value)
        if (text_equal(v4_text_in(value, "Tag"), TEXT("Tag_SNS_IM_Group")))
            return sns_names(json_object_get(value, "Value"));
    return json_array();
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
            json_object_set_new(patch, "groups", sns_names(new));
        else if (text_present(own_name(tag)))
            json_object_set_new(custom, own_name(tag).ptr, text_value(new));
        else {
            json_decref(patch);
            return NULL;
        }
    }
    return patch;
}

static void ask_update(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    const struct sns_naming *naming = c->state;
    int number = sns_names_number(naming->refused, groups_of_update(item));

    if (number)
        sns_result(c, item, number);
    else
        *ret = sns_ask_peer(c, item);
}

static void ask_patch(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    json_t *patch = patch_of(item, v4_reply(c));

    if (!patch)
        return;
    *ret = sns_ask_peer(c, item);
    ret->body = patch;
}

/* A tag that may not be changed leaves the step at the reading. */
static void take_update(struct v4_call *c, const json_t *item)
{
    bool refused = c->step.operation == &friend_get && c->step_err.code == ERR_NONE;

    sns_result(c, item, refused ? 30001 : sns_number(c));
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
    struct sns_naming *naming = arena_alloc(c->op->arena, sizeof(*naming));

    *naming = (struct sns_naming){v4_owned(c, json_object()), update_with_groups};
    c->state = naming;
    sns_make_groups(c, sns_all_names(v4_get(c, "UpdateItem"), groups_of_update));
}

const struct v4_work v4_friend_update = {friend_update_in, sns_results_out, friend_update};

/* ---- friend_delete, friend_delete_all ---- */

static const struct v4_field friend_delete_in[] = {
    SNS_FROM_MEMBER,
    SNS_TO_MEMBER,
    {"DeleteType", .kind = V4_TEXT, .code = 30001},
    V4_LAST,
};

/* Delete_Type_Single stands where nothing is said. */
static struct param one_way_of(const struct v4_call *c)
{
    bool both = text_equal(v4_text(c, "DeleteType"), TEXT("Delete_Type_Both"));

    return (struct param)V4_PARAM("one_way", both ? TEXT("false") : TEXT("true"));
}

static void ask_delete(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    if (!is_friend(c->state, item)) {
        sns_result(c, item, sns_is_unknown(c->state, item) ? 30003 : 31704);
        return;
    }
    *ret = sns_ask_peer(c, item);
    ret->query[0] = one_way_of(c);
}

static void delete_with_relations(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "To_Account"),
        .operation = &friend_delete,
        .ask = ask_delete,
        .take = sns_take_result};

    c->state = sns_by_peer(c);
    v4_for_each(c, &each);
}

static void delete_friends(struct v4_call *c)
{
    sns_ask_about(c, &friend_check, v4_get(c, "To_Account"), delete_with_relations);
}

const struct v4_work v4_friend_delete = {friend_delete_in, sns_results_out, delete_friends};

static const struct v4_field friend_delete_all_in[] = {
    SNS_FROM_MEMBER,
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
    const struct v4_ask ask = {.path = {V4_PARAM("user", sns_from(c))}, .query = {one_way_of(c)}};

    v4_ask(c, &friend_delete_all, &ask, take_some_deleted);
}

const struct v4_work v4_friend_delete_all = {friend_delete_all_in, v4_nothing, delete_some_friends};
