/* sns: the blocklist. */
#include "base/clock.h"
#include "http/v4/sns.h"

static const struct v4_field black_list_in[] = {SNS_FROM_MEMBER, SNS_TO_MEMBER, V4_LAST};

/* Also of one who was blocked before: what a call that broke off has left of a friendship ends. */
static void take_blocked(struct v4_call *c, const json_t *item)
{
    bool before = json_is_true(json_object_get(sns_find(c->state, item), "blocked"));

    sns_result(c, item, c->step_err.code == ERR_NONE && before ? 30001 : sns_number(c));
}

static void block_with_blocks(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "To_Account"),
        .operation = &block_put,
        .ask = sns_ask_item,
        .then = &friend_delete, /* a block ends the friendship of both */
        .then_ask = sns_ask_item,
        .take = take_blocked};

    c->state = sns_by_peer(c);
    v4_for_each(c, &each);
}

static void black_list_add(struct v4_call *c)
{
    sns_ask_about(c, &block_check, v4_get(c, "To_Account"), block_with_blocks);
}

const struct v4_work v4_black_list_add = {black_list_in, sns_results_out, black_list_add};

/* Whoever asks must be there; whom it is about need not be. */
static void take_unblocked(struct v4_call *c, const json_t *item)
{
    const struct err_field *field = c->step_err.fields;

    if (c->step_err.code == ERR_USER_UNKNOWN && field && strcmp(field->pointer, "/user") == 0)
        v4_fail_step(c);
    else
        sns_take_result(c, item);
}

static void black_list_delete(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "To_Account"),
        .operation = &block_delete,
        .ask = sns_ask_item,
        .take = take_unblocked};

    v4_for_each(c, &each);
}

const struct v4_work v4_black_list_delete = {black_list_in, sns_results_out, black_list_delete};

static const struct v4_field black_list_get_in[] = {
    SNS_FROM_MEMBER,
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
    size_t page = wanted > 0 && wanted < SNS_NAMES_MAX ? (size_t)wanted : SNS_PAGE;
    size_t n = json_array_size(c->listed);
    size_t first = (size_t)v4_int(c, "StartIndex", 0);
    size_t end = n < page || first >= n - page ? n : first + page;
    json_t *list = json_array();
    int64_t sequence = sns_sequence(c->listed);

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
    const struct v4_listing listing = {&block_list, sns_from(c), take_blocks};

    v4_list_all(c, &listing);
}

const struct v4_work v4_black_list_get = {black_list_get_in, black_list_get_out, black_list_get};
