/* all_member_push: one message to many accounts, and the tags and attributes that tell which.
 *
 * Tags are those of /v1. An attribute is a tag as well, "#" with its number, "=" and the value;
 * what the numbers are called is a setting. A user has one value of each: what begins with the
 * number goes when a value comes, within the call of /v1 that gives it. */
#include "base/clock.h"
#include "http/v4/elements.h"
#include "http/v4/state.h"

#define ATTRIBUTES 10
#define TEXT_BYTES 50
#define USERS_MAX 100
#define TAGS_MAX 10
#define PUSHES_A_DAY 100
#define DAY_SECONDS 86400
#define KEPT_SECONDS 604800

/* ---- attributes as tags ---- */

static void ask_names(struct v4_call *c, v4_next *next)
{
    const struct v4_ask ask = {.takes_errors = false};

    v4_ask(c, &settings_get, &ask, next);
}

/* An attribute without a name is called by its number. */
static json_t *names_told(struct v4_call *c)
{
    json_t *names = v4_owned(c, json_array());
    const json_t *told = json_object_get(v4_reply(c), "attributes");

    for (size_t i = 0; i < ATTRIBUTES; i++) {
        json_t *name = json_array_get(told, i);
        json_array_append_new(names, name ? json_incref(name) : json_sprintf("%d", (int)i));
    }
    return names;
}

/* -1 when there is none. */
static int number_of(const json_t *names, const char *name)
{
    const json_t *one;
    size_t i;

    json_array_foreach(names, i, one)
        if (strcmp(json_string_value(one), name) == 0)
            return (int)i;
    return -1;
}

static bool is_attribute(struct text tag)
{
    return tag.len > 2 && tag.ptr[0] == '#' && tag.ptr[1] >= '0' && tag.ptr[1] <= '9' &&
           tag.ptr[2] == '=';
}

/* Absent when the value is no text of 1 to 50 bytes; numbers count as their digits. */
static struct text value_text(const struct v4_call *c, const json_t *value)
{
    if (json_is_integer(value))
        return text_of(arena_printf(c->op->arena, "%lld", (long long)json_integer_value(value)));
    struct text t = v4_text_of(value);
    return t.len > 0 && t.len <= TEXT_BYTES ? t : TEXT_ABSENT;
}

/* ---- im_set_attr_name, im_get_attr_name ---- */

static const struct v4_field im_set_attr_name_in[] = {
    {"AttrNames", .kind = V4_ANY, .required = true, .code = 90001},
    V4_LAST,
};

static const struct v4_field im_get_attr_name_out[] = {
    {"AttrNames", .kind = V4_MAP},
    V4_LAST,
};

/* False on a name that is none. A list names attribute after attribute. */
static bool set_name(json_t *names, int64_t number, const json_t *name)
{
    struct text t = v4_text_of(name);

    if (number < 0 || number >= ATTRIBUTES || t.len == 0 || t.len > TEXT_BYTES)
        return false;
    json_array_set(names, (size_t)number, (json_t *)name);
    return true;
}

/* A name shall tell which attribute is meant. */
static bool are_unique(const json_t *names)
{
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
        if (number_of(names, json_string_value(name)) != (int)i)
            return false;
    return true;
}

static bool set_names(json_t *names, json_t *given)
{
    const char *key;
    json_t *name;
    size_t i;
    int64_t number;

    json_array_foreach(given, i, name)
        if (!set_name(names, (int64_t)i, name))
            return false;
    json_object_foreach(given, key, name)
        if (!text_to_i64(text_of(key), &number) || !set_name(names, number, name))
            return false;
    return are_unique(names);
}

static void names_to_set(struct v4_call *c)
{
    json_t *names = names_told(c);

    if (!set_names(names, (json_t *)v4_get(c, "AttrNames"))) {
        v4_fail(
            c, 90030, "names must be 1 to %d bytes, each its own, their numbers 0 to 9",
            TEXT_BYTES);
        return;
    }
    const struct v4_ask ask = {
        .body = json_pack("{s:O}", "attributes", names), .if_match = TEXT("*")};
    v4_ask(c, &settings_patch, &ask, NULL);
}

static void im_set_attr_name(struct v4_call *c)
{
    const json_t *given = v4_get(c, "AttrNames");

    if (json_is_object(given) || json_is_array(given))
        ask_names(c, names_to_set);
    else
        v4_fail(c, 90001, "AttrNames is no object");
}

const struct v4_work v4_im_set_attr_name = {im_set_attr_name_in, v4_nothing, im_set_attr_name};

static void names_read(struct v4_call *c)
{
    const json_t *name;
    json_t *names = json_object();
    size_t i;

    json_array_foreach(json_object_get(v4_reply(c), "attributes"), i, name) {
        char number[8];
        snprintf(number, sizeof(number), "%d", (int)i);
        if (strcmp(json_string_value(name), number) != 0)
            json_object_set(names, number, (json_t *)name);
    }
    v4_answer(c, "AttrNames", names);
}

static void im_get_attr_name(struct v4_call *c)
{
    ask_names(c, names_read);
}

const struct v4_work v4_im_get_attr_name = {v4_nothing, im_get_attr_name_out, im_get_attr_name};

/* ---- changes of many accounts ---- */

/* The entries of `UserTags` and the like: under two names, or one entry that is the request itself.
 */
static json_t *entries_of(struct v4_call *c, const char *outer, const char *inner)
{
    json_t *list = json_object_get(c->request, outer);

    if (!json_is_array(list) && !json_object_get(c->request, "To_Account"))
        list = json_object_get(c->request, inner);
    if (json_is_array(list))
        return v4_owned(c, json_incref(list));
    if (!json_is_string(json_object_get(c->request, "To_Account")))
        return NULL;
    return v4_owned(c, json_pack("[O]", (json_t *)c->request));
}

/* 0, or the ErrorCode of entries that are none. */
static int check_entries(const json_t *entries)
{
    if (json_array_size(entries) == 0)
        return 90001;
    return json_array_size(entries) > USERS_MAX ? 90018 : 0;
}

struct change {
    json_t *entries;
    json_t *names; /* of attributes */
    json_t *changes;
};

static void changed(struct v4_call *c)
{
    const json_t *result;
    size_t i;

    json_array_foreach(json_object_get(v4_reply(c), "results"), i, result) {
        enum err_code code = err_from_code(v4_text_in(json_object_get(result, "problem"), "code"));
        if (code == ERR_NONE)
            continue;
        v4_fail(c, v4_number(V4_PUSH, code), "%s", err_info(code)->title);
        return;
    }
}

/* A name that no account could have is that of none: /v1 would find its form wrong. */
static bool names_accounts(const json_t *changes)
{
    const json_t *one;
    size_t i;

    json_array_foreach(changes, i, one)
        if (!v4_is_user(v4_text_in(one, "user")))
            return false;
    return true;
}

static void make_changes(struct v4_call *c)
{
    const struct change *change = c->state;
    const struct v4_ask ask = {.body = json_pack("{s:O}", "changes", change->changes)};

    if (names_accounts(change->changes)) {
        v4_ask(c, &user_tag_change, &ask, changed);
        return;
    }
    json_decref(ask.body);
    v4_fail(c, v4_number(V4_PUSH, ERR_USER_UNKNOWN), "%s", err_info(ERR_USER_UNKNOWN)->title);
}

/* `remove`: remove, of tags, or remove_prefixes; takes the references. */
static void add_change(
    struct change *change, const json_t *user, const char *remove, json_t *gone, json_t *add)
{
    json_array_append_new(
        change->changes,
        json_pack("{s:O, s:o, s:o}", "user", (json_t *)user, remove, gone, "add", add));
}

/* ---- im_add_tag, im_remove_tag, im_remove_all_tags, im_get_tag ---- */

static const struct v4_field user_tags[] = {
    {"To_Account", .kind = V4_TEXT},
    {"Tags", .kind = V4_TEXTS},
    V4_LAST,
};

static const struct v4_field change_tags_in[] = {
    {"UserTags", .also = "Tags", .kind = V4_ANY, .code = 90001},
    {"To_Account", .kind = V4_ANY, .code = 90001},
    V4_LAST,
};

static int check_tags(const json_t *tags)
{
    const json_t *tag;
    size_t i;

    if (!json_is_array(tags) || json_array_size(tags) == 0)
        return 90001;
    if (json_array_size(tags) > TAGS_MAX)
        return 90032;
    json_array_foreach(tags, i, tag)
        if (!json_is_string(tag) || !json_string_length(tag) ||
            json_string_length(tag) > TEXT_BYTES || is_attribute(v4_text_of(tag)))
            return 90034;
    return 0;
}

static void change_tags(struct v4_call *c, bool adds)
{
    struct change *change = arena_alloc(c->op->arena, sizeof(*change));
    const json_t *entry;
    size_t i;

    change->entries = entries_of(c, "UserTags", "Tags");
    change->changes = v4_owned(c, json_array());
    c->state = change;
    int number = check_entries(change->entries);
    json_array_foreach(change->entries, i, entry) {
        json_t *tags = json_object_get(entry, "Tags");
        if (!number)
            number = check_tags(tags);
        if (!number && !json_is_string(json_object_get(entry, "To_Account")))
            number = 90001;
        if (number)
            break;
        add_change(
            change, json_object_get(entry, "To_Account"), "remove",
            adds ? json_array() : json_incref(tags), adds ? json_incref(tags) : json_array());
    }
    if (number)
        v4_fail(c, number, "UserTags is not as it must be");
    else
        make_changes(c);
}

static void im_add_tag(struct v4_call *c)
{
    change_tags(c, true);
}

static void im_remove_tag(struct v4_call *c)
{
    change_tags(c, false);
}

const struct v4_work v4_im_add_tag = {change_tags_in, v4_nothing, im_add_tag};
const struct v4_work v4_im_remove_tag = {change_tags_in, v4_nothing, im_remove_tag};

static const struct v4_field users_in[] = {
    {"To_Account", .kind = V4_TEXTS, .required = true, .code = 90001, .min = 1, .max = USERS_MAX,
     .limit_code = 90018},
    V4_LAST,
};

static const struct v4_field im_get_tag_out[] = {
    {"UserTags", .kind = V4_LIST, .of = user_tags},
    {"Tags", .kind = V4_LIST, .of = user_tags},
    V4_LAST,
};

/* What could be an account of those who are asked about; never none, which could not be asked. */
static json_t *users_of(const struct v4_call *c)
{
    json_t *users = json_array();
    json_t *user;
    size_t i;

    json_array_foreach(v4_get(c, "To_Account"), i, user)
        if (v4_is_user(v4_text_of(user)))
            json_array_append(users, user);
    if (json_array_size(users) == 0)
        json_array_append_new(users, v4_json_text(c->op->caller.subject));
    return users;
}

static void ask_tags(struct v4_call *c, v4_next *next)
{
    const struct v4_ask ask = {.body = json_pack("{s:o}", "users", users_of(c))};

    v4_ask(c, &user_tag_query, &ask, next);
}

/* What it replied: the tags of each. */
static json_t *tags_by_user(struct v4_call *c)
{
    json_t *map = v4_owned(c, json_object());
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(v4_reply(c), "items"), i, item)
        json_object_set(
            map, json_string_value(json_object_get(item, "user")), json_object_get(item, "tags"));
    return map;
}

static const json_t *tags_of(const json_t *by_user, const json_t *user)
{
    return json_object_get(by_user, json_string_value(user));
}

static json_t *own_tags(const json_t *all)
{
    json_t *tags = json_array();
    json_t *tag;
    size_t i;

    json_array_foreach(all, i, tag)
        if (!is_attribute(v4_text_of(tag)))
            json_array_append(tags, tag);
    return tags;
}

/* Under two names, for some SDKs read the inner one. */
static void answer_twice(struct v4_call *c, const char *outer, const char *inner, json_t *list)
{
    v4_answer(c, outer, list);
    v4_answer(c, inner, json_incref(list));
}

static void tags_read(struct v4_call *c)
{
    json_t *by_user = tags_by_user(c);
    json_t *list = json_array();
    json_t *user;
    size_t i;

    json_array_foreach(v4_get(c, "To_Account"), i, user)
        json_array_append_new(
            list,
            json_pack("{s:O, s:o}", "To_Account", user, "Tags", own_tags(tags_of(by_user, user))));
    answer_twice(c, "UserTags", "Tags", list);
}

static void im_get_tag(struct v4_call *c)
{
    ask_tags(c, tags_read);
}

const struct v4_work v4_im_get_tag = {users_in, im_get_tag_out, im_get_tag};

static void tags_to_remove(struct v4_call *c)
{
    struct change *change = arena_alloc(c->op->arena, sizeof(*change));
    json_t *by_user = tags_by_user(c);
    json_t *user;
    size_t i;

    change->changes = v4_owned(c, json_array());
    c->state = change;
    json_array_foreach(v4_get(c, "To_Account"), i, user)
        add_change(change, user, "remove", own_tags(tags_of(by_user, user)), json_array());
    make_changes(c);
}

static void im_remove_all_tags(struct v4_call *c)
{
    ask_tags(c, tags_to_remove);
}

const struct v4_work v4_im_remove_all_tags = {users_in, v4_nothing, im_remove_all_tags};

/* ---- im_set_attr, im_remove_attr, im_get_attr ---- */

static const struct v4_field user_attrs[] = {
    {"To_Account", .kind = V4_TEXT},
    {"Attrs", .kind = V4_MAP},
    V4_LAST,
};

static const struct v4_field change_attrs_in[] = {
    {"UserAttrs", .also = "Attrs", .kind = V4_ANY, .code = 90001},
    {"To_Account", .kind = V4_ANY, .code = 90001},
    V4_LAST,
};

static const struct v4_field im_get_attr_out[] = {
    {"UserAttrs", .kind = V4_LIST, .of = user_attrs},
    {"Attrs", .kind = V4_LIST, .of = user_attrs},
    V4_LAST,
};

/* One entry of im_set_attr (an object) or im_remove_attr (an array of names); 0, or an ErrorCode.
 */
static int change_attrs(struct v4_call *c, const json_t *entry)
{
    struct change *change = c->state;
    json_t *prefixes = json_array(), *add = json_array();
    json_t *attrs = json_object_get(entry, "Attrs");
    json_t *value;
    const char *name;
    size_t i;
    int number, wrong = json_is_object(attrs) || json_is_array(attrs) ? 0 : 90001;

    json_object_foreach(attrs, name, value) {
        struct text text = value_text(c, value);
        number = number_of(change->names, name);
        wrong = number < 0 ? 90033 : text_present(text) ? wrong : 90030;
        json_array_append_new(prefixes, json_sprintf("#%d=", number));
        json_array_append_new(add, json_sprintf("#%d=%.*s", number, TEXT_ARG(text)));
    }
    json_array_foreach(attrs, i, value) {
        number = number_of(change->names, json_is_string(value) ? json_string_value(value) : "");
        wrong = number < 0 ? 90033 : wrong;
        json_array_append_new(prefixes, json_sprintf("#%d=", number));
    }
    add_change(change, json_object_get(entry, "To_Account"), "remove_prefixes", prefixes, add);
    return wrong;
}

static void attrs_with_names(struct v4_call *c)
{
    struct change *change = c->state;
    const json_t *entry;
    size_t i;

    change->names = names_told(c);
    json_array_foreach(change->entries, i, entry) {
        int wrong = change_attrs(c, entry);
        if (!wrong)
            continue;
        v4_fail(c, wrong, "an attribute is not as it must be");
        return;
    }
    make_changes(c);
}

static void begin_attrs(struct v4_call *c)
{
    struct change *change = arena_alloc(c->op->arena, sizeof(*change));
    const json_t *entry;
    size_t i;

    change->entries = entries_of(c, "UserAttrs", "Attrs");
    change->changes = v4_owned(c, json_array());
    c->state = change;
    int number = check_entries(change->entries);
    json_array_foreach(change->entries, i, entry)
        if (!json_is_string(json_object_get(entry, "To_Account")))
            number = number ? number : 90001;
    if (number)
        v4_fail(c, number, "UserAttrs is not as it must be");
    else
        ask_names(c, attrs_with_names);
}

const struct v4_work v4_im_set_attr = {change_attrs_in, v4_nothing, begin_attrs};
const struct v4_work v4_im_remove_attr = {change_attrs_in, v4_nothing, begin_attrs};

static json_t *attrs_of(const json_t *names, const json_t *tags)
{
    json_t *attrs = json_object();
    const json_t *tag;
    size_t i;

    json_array_foreach(tags, i, tag) {
        struct text t = v4_text_of(tag);
        if (is_attribute(t))
            json_object_set_new(
                attrs, json_string_value(json_array_get(names, (size_t)(t.ptr[1] - '0'))),
                json_stringn(t.ptr + 3, t.len - 3));
    }
    return attrs;
}

static void attrs_read(struct v4_call *c)
{
    json_t *by_user = tags_by_user(c);
    json_t *list = json_array();
    json_t *user;
    size_t i;

    json_array_foreach(v4_get(c, "To_Account"), i, user)
        json_array_append_new(
            list, json_pack(
                      "{s:O, s:o}", "To_Account", user, "Attrs",
                      attrs_of(c->state, tags_of(by_user, user))));
    answer_twice(c, "UserAttrs", "Attrs", list);
}

static void attrs_with_all_names(struct v4_call *c)
{
    c->state = names_told(c);
    ask_tags(c, attrs_read);
}

static void im_get_attr(struct v4_call *c)
{
    ask_names(c, attrs_with_all_names);
}

const struct v4_work v4_im_get_attr = {users_in, im_get_attr_out, im_get_attr};

/* ---- im_push ---- */

static const struct v4_field condition[] = {
    {"TagsOr", .kind = V4_TEXTS, .code = 90001, .max = TAGS_MAX, .limit_code = 90032},
    {"TagsAnd", .kind = V4_TEXTS, .code = 90001, .max = TAGS_MAX, .limit_code = 90032},
    {"AttrsOr", .kind = V4_MAP, .code = 90001},
    {"AttrsAnd", .kind = V4_MAP, .code = 90001},
    V4_LAST,
};

static const struct v4_field im_push_in[] = {
    {"From_Account", .kind = V4_TEXT, .code = 90001},
    {"MsgRandom", .kind = V4_INT, .required = true, .code = 90005, .max = UINT32_MAX},
    {"MsgBody", .kind = V4_BODY, .required = true, .code = 90007},
    {"MsgLifeTime", .kind = V4_INT, .code = 90026, .max = KEPT_SECONDS},
    {"Condition", .kind = V4_OBJECT, .code = 90001, .of = condition},
    {"OfflinePushInfo", .kind = V4_OBJECT, .code = 90001},
    V4_LAST,
};

static const struct v4_field im_push_out[] = {
    {"TaskId", .kind = V4_TEXT},
    V4_LAST,
};

struct push {
    json_t *body;
    json_t *any;
    json_t *all;
};

static int add_tags(json_t *ret, const json_t *tags)
{
    const json_t *tag;
    size_t i;

    json_array_foreach(tags, i, tag) {
        if (json_string_length(tag) == 0)
            return 90040;
        if (json_string_length(tag) > TEXT_BYTES)
            return 90020;
        if (is_attribute(v4_text_of(tag)))
            return 90034;
        json_array_append(ret, (json_t *)tag);
    }
    return 0;
}

static int add_attrs(const struct v4_call *c, json_t *ret, const json_t *names, json_t *attrs)
{
    const char *name;
    json_t *value;

    json_object_foreach(attrs, name, value) {
        struct text text = value_text(c, value);
        int number = number_of(names, name);
        if (number < 0 || !text_present(text))
            return 90033;
        json_array_append_new(ret, json_sprintf("#%d=%.*s", number, TEXT_ARG(text)));
    }
    return 0;
}

static bool in_both(const json_t *one, const json_t *other)
{
    const json_t *a, *b;
    size_t i, j;

    json_array_foreach(one, i, a)
        json_array_foreach(other, j, b)
            if (json_equal(a, b))
                return true;
    return false;
}

/* 0, or the ErrorCode of a condition that is none. */
static int read_condition(const struct v4_call *c, struct push *push, const json_t *names)
{
    const json_t *condition_in = v4_get(c, "Condition");
    const json_t *tags_any = json_object_get(condition_in, "TagsOr");
    const json_t *tags_all = json_object_get(condition_in, "TagsAnd");
    json_t *attrs_any = json_object_get(condition_in, "AttrsOr");
    json_t *attrs_all = json_object_get(condition_in, "AttrsAnd");
    bool by_tags = json_array_size(tags_any) || json_array_size(tags_all);
    bool by_attrs = json_object_size(attrs_any) || json_object_size(attrs_all);

    if (by_tags && by_attrs)
        return 90039;
    if (in_both(tags_any, tags_all))
        return 90022;
    int wrong = add_tags(push->any, tags_any);
    wrong = wrong ? wrong : add_tags(push->all, tags_all);
    wrong = wrong ? wrong : add_attrs(c, push->any, names, attrs_any);
    return wrong ? wrong : add_attrs(c, push->all, names, attrs_all);
}

static void take_pushed(struct v4_call *c)
{
    v4_answer(c, "TaskId", json_incref(json_object_get(v4_reply(c), "id")));
}

static json_t *audience_of(const struct push *push)
{
    json_t *to = json_object();

    if (json_array_size(push->any))
        json_object_set(to, "tags_any", push->any);
    if (json_array_size(push->all))
        json_object_set(to, "tags_all", push->all);
    if (json_object_size(to) == 0)
        json_object_set_new(to, "all", json_true());
    return to;
}

static void send_push(struct v4_call *c, bool only_replay, v4_next *next)
{
    const struct push *push = c->state;
    const struct v4_ask ask = {
        .body = json_incref(push->body),
        .idempotency_key = text_of(
            arena_printf(c->op->arena, "im_push-%lld", (long long)v4_int(c, "MsgRandom", 0))),
        .named_by_key = true,
        .only_replay = only_replay};

    v4_ask(c, &notification_send, &ask, next);
}

static int64_t age_s(const json_t *notification)
{
    int64_t at_us = 0;

    if (!clock_from_text(v4_text_in(notification, "created_at"), &at_us))
        return INT64_MAX;
    return (clock_now_us() - at_us) / USEC_PER_SEC;
}

static void take_earlier(struct v4_call *c)
{
    const json_t *items = json_object_get(v4_reply(c), "items");

    if (age_s(json_array_get(items, 0)) < 1)
        v4_fail(c, 90024, "less than a second since the last push");
    else if (age_s(json_array_get(items, PUSHES_A_DAY - 1)) < DAY_SECONDS)
        v4_fail(c, 90047, "more than %d pushes in a day", PUSHES_A_DAY);
    else
        send_push(c, false, take_pushed);
}

/* A number that comes again is the same task, and no further one that there might be too many of.
 */
static void take_replay(struct v4_call *c)
{
    const struct v4_ask earlier = {.query = {V4_PARAM("limit", TEXT("100"))}};

    if (c->step.replayed)
        take_pushed(c);
    else
        v4_ask(c, &notification_list, &earlier, take_earlier);
}

static void push_with_names(struct v4_call *c)
{
    struct push *push = c->state;
    int wrong = read_condition(c, push, names_told(c));

    if (wrong) {
        v4_fail(c, wrong, "Condition is not as it must be");
        return;
    }
    json_object_set_new(push->body, "to", audience_of(push));
    send_push(c, true, take_replay);
}

static void im_push(struct v4_call *c)
{
    struct push *push = arena_alloc(c->op->arena, sizeof(*push));
    json_t *elements = v4_elements_in(c, v4_get(c, "MsgBody"));
    struct text from = v4_text(c, "From_Account");

    if (!elements)
        return;
    push->body = v4_owned(
        c, json_pack(
               "{s:o, s:o, s:{s:I}, s:o*}", "from",
               v4_json_text(text_present(from) ? from : c->op->caller.subject), "elements",
               elements, "options", "store_seconds", v4_int(c, "MsgLifeTime", 0), "push",
               v4_push_in(v4_get(c, "OfflinePushInfo"))));
    push->any = v4_owned(c, json_array());
    push->all = v4_owned(c, json_array());
    c->state = push;
    ask_names(c, push_with_names);
}

const struct v4_work v4_im_push = {im_push_in, im_push_out, im_push};
