/* sns: friends are read. */
#include "base/clock.h"
#include "http/v4/profiles.h"
#include "http/v4/sns.h"

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
        value = json_object_get(custom, SNS_ADD_SOURCE);
    else if (text_equal(tag, TEXT("Tag_SNS_IM_AddWording")))
        value = json_object_get(custom, SNS_ADD_WORDING);
    else if (text_starts_with(tag, TEXT(SNS_CUSTOM_PREFIX)))
        value = json_object_get(custom, tag.ptr + sizeof(SNS_CUSTOM_PREFIX) - 1);
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
        if (strcmp(name, SNS_ADD_SOURCE) == 0 || strcmp(name, SNS_ADD_WORDING) == 0)
            continue;
        json_t *tag = json_sprintf(SNS_CUSTOM_PREFIX "%s", name);
        v4_add_tag(items, tag, json_incref(value));
        json_decref(tag);
    }
}

/* ---- friend_get ---- */

static const struct v4_field friend_get_in[] = {
    SNS_FROM_MEMBER,
    {"StartIndex", .kind = V4_INT, .code = 30001, .max = INT32_MAX},
    {"StandardSequence", .kind = V4_INT, .code = 30001},
    {"CustomSequence", .kind = V4_INT, .code = 30001},
    V4_LAST,
};

static const struct v4_field user_data[] = {
    {"To_Account", .kind = V4_TEXT},
    {"ValueItem", .kind = V4_LIST, .of = sns_tag_value},
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
    int64_t sequence = sns_sequence(all);
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
    size_t end = n < SNS_PAGE || first >= n - SNS_PAGE ? n : first + SNS_PAGE;
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
    const struct v4_listing listing = {&friend_list, sns_from(c), take_friends};

    v4_list_all(c, &listing);
}

const struct v4_work v4_friend_get = {friend_get_in, friend_get_out, get_friends};

/* ---- friend_get_list ---- */

static const struct v4_field friend_get_list_in[] = {
    SNS_FROM_MEMBER,
    SNS_TO_MEMBER,
    {"TagList", .kind = V4_TEXTS, .required = true, .code = 30001, .min = 1, .max = 100},
    V4_LAST,
};

static const struct v4_field info_item[] = {
    {"To_Account", .kind = V4_TEXT},
    {"SnsProfileItem", .kind = V4_LIST, .of = sns_tag_value},
    {"ResultCode", .kind = V4_INT},
    {"ResultInfo", .kind = V4_TEXT},
    V4_LAST,
};

static const struct v4_field friend_get_list_out[] = {
    {"InfoItem", .kind = V4_LIST, .of = info_item},
    {"Fail_Account", .kind = V4_TEXTS},
    V4_LAST,
};

/* The profile, too, where a tag of it is wanted; c->state is the friend. */
static void ask_profile(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    const json_t *tag;
    size_t i;

    c->state = v4_owned(c, json_incref((json_t *)v4_reply(c)));
    json_array_foreach(v4_get(c, "TagList"), i, tag)
        if (v4_is_profile_tag(v4_text_of(tag)))
            ret->path[0] = (struct param)V4_PARAM("user", sns_peer(item));
}

static void take_friend(struct v4_call *c, const json_t *item)
{
    json_t *entry = v4_result(c, "InfoItem", json_string_value(item), sns_number(c));
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
        .ask = sns_ask_item,
        .then = &user_get,
        .then_ask = ask_profile,
        .take = take_friend};

    v4_for_each(c, &each);
}

const struct v4_work v4_friend_get_list = {
    friend_get_list_in, friend_get_list_out, friend_get_list};
