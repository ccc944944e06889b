/* sns: what two are to each other. */
#include "http/v4/sns.h"

#define CHECK_MEMBERS                                                                              \
    SNS_FROM_MEMBER, SNS_TO_MEMBER,                                                                \
    {                                                                                              \
        "CheckType", .kind = V4_TEXT, .required = true, .code = 30001                              \
    }

static const struct v4_field check_in[] = {CHECK_MEMBERS, V4_LAST};

static const struct v4_field friend_check_out[] = {
    {"InfoItem", .kind = V4_LIST, .of = sns_result_item},
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
    json_t *checked = sns_by_peer(c);
    const json_t *item;
    size_t i;

    json_array_foreach(v4_get(c, "To_Account"), i, item) {
        const json_t *found = sns_find(checked, item);
        json_t *entry = v4_result(
            c, checking->list, json_string_value(item), sns_is_unknown(checked, item) ? 30003 : 0);
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
        sns_ask_about(c, checking->operation, v4_get(c, "To_Account"), take_checked);
    else
        v4_fail(c, 30001, "CheckType is not known");
}

static void check_friends(struct v4_call *c)
{
    check(c, &friend_checking);
}

const struct v4_work v4_friend_check = {check_in, friend_check_out, check_friends};

static const struct v4_field black_list_check_out[] = {
    {"BlackListCheckItem", .kind = V4_LIST, .of = sns_result_item},
    {"Fail_Account", .kind = V4_TEXTS},
    V4_LAST,
};

static void check_blocks(struct v4_call *c)
{
    check(c, &block_checking);
}

const struct v4_work v4_black_list_check = {check_in, black_list_check_out, check_blocks};
