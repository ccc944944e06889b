/* sns: friend groups. */
#include "http/v4/sns.h"

static void ask_groups(struct v4_call *c, v4_next *next)
{
    const struct v4_ask ask = {.path = {V4_PARAM("user", sns_from(c))}};

    v4_ask(c, &friend_group_list, &ask, next);
}

static void answer_sequence(struct v4_call *c)
{
    v4_answer(
        c, "CurrentSequence", json_integer(sns_sequence(json_object_get(v4_reply(c), "items"))));
}

static void end_with_sequence(struct v4_call *c)
{
    ask_groups(c, answer_sequence);
}

static const struct v4_field group_add_in[] = {
    SNS_FROM_MEMBER,
    {"GroupName", .kind = V4_TEXTS, .required = true, .code = 30001, .min = 1, .max = 32,
     .limit_code = 30011},
    {"To_Account", .kind = V4_TEXTS, .code = 30001, .max = SNS_NAMES_MAX},
    V4_LAST,
};

static const struct v4_field group_add_out[] = {
    {"ResultItem", .kind = V4_LIST, .of = sns_result_item},
    {"Fail_Account", .kind = V4_TEXTS},
    {"CurrentSequence", .kind = V4_INT},
    V4_LAST,
};

static void ask_into_groups(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    *ret = sns_ask_peer(c, item);
    ret->body = json_pack(
        "{s:o}", "groups",
        sns_joined(json_object_get(v4_reply(c), "groups"), v4_get(c, "GroupName")));
}

static void take_into_groups(struct v4_call *c, const json_t *item)
{
    bool no_friend = c->step_err.code == ERR_FRIEND_UNKNOWN;

    sns_result(c, item, no_friend ? 32216 : sns_number(c));
}

static void groups_made(struct v4_call *c)
{
    const struct sns_naming *naming = c->state;
    const struct v4_each each = {
        .items = v4_get(c, "To_Account"),
        .operation = &friend_get,
        .ask = sns_ask_item,
        .then = &friend_patch,
        .then_ask = ask_into_groups,
        .take = take_into_groups,
        .done = end_with_sequence};
    int number = sns_names_number(naming->refused, sns_names(v4_get(c, "GroupName")));

    if (number)
        v4_fail(
            c, number, "%s",
            number == 30011 ? "there are as many groups as are allowed"
                            : "a group cannot have this name");
    else
        v4_for_each(c, &each);
}

static void group_add(struct v4_call *c)
{
    struct sns_naming *naming = arena_alloc(c->op->arena, sizeof(*naming));

    *naming = (struct sns_naming){v4_owned(c, json_object()), groups_made};
    c->state = naming;
    sns_make_groups(c, sns_names(v4_get(c, "GroupName")));
}

const struct v4_work v4_group_add = {group_add_in, group_add_out, group_add};

static const struct v4_field group_delete_in[] = {
    SNS_FROM_MEMBER,
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
        .ask = sns_ask_group,
        .take = take_deleted,
        .done = end_with_sequence};

    v4_for_each(c, &each);
}

const struct v4_work v4_group_delete = {group_delete_in, group_delete_out, group_delete};

static const struct v4_field group_get_in[] = {
    SNS_FROM_MEMBER,
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
    const struct v4_listing listing = {&friend_list, sns_from(c), groups_with_friends};

    if (text_equal(v4_text(c, "NeedFriend"), TEXT("Need_Friend_Type_Yes")))
        v4_list_all(c, &listing);
    else
        ask_groups(c, answer_groups);
}

const struct v4_work v4_group_get = {group_get_in, group_get_out, group_get};
