/* profile and the mute of openconfigsvr: what is said about an account. */
#include "http/v4/profiles.h"

#include "base/clock.h"
#include "http/v4/state.h"

#define VALUE_BYTES 500
#define LOCATION_BYTES 16
#define CUSTOM_LETTERS 8
#define FOR_EVER UINT32_MAX

/* ---- tags ---- */

enum tag_kind { TAG_TEXT, TAG_NUMBER, TAG_WORD, TAG_DAY };

struct word {
    const char *outer, *inner;
};

static const struct word genders[] = {
    {"Gender_Type_Unknown", "unknown"},
    {"Gender_Type_Female", "female"},
    {"Gender_Type_Male", "male"},
    {NULL, NULL},
};

static const struct word policies[] = {
    {"AllowType_Type_AllowAny", "anyone"},
    {"AllowType_Type_NeedConfirm", "approval"},
    {"AllowType_Type_DenyAny", "nobody"},
    {NULL, NULL},
};

static const struct word forbid_types[] = {
    {"AdminForbid_Type_None", "AdminForbid_Type_None"},
    {"AdminForbid_Type_SendOut", "AdminForbid_Type_SendOut"},
    {NULL, NULL},
};

/* The first word of a kind is its default, which is not shown. */
static const struct tag {
    const char *outer; /* in /v4 */
    const char *inner; /* in /v1; of those with `custom`, a member of that */
    enum tag_kind kind;
    const struct word *words;
    size_t max; /* TEXT: bytes */
    bool custom;
    bool as_text; /* NUMBER: a text in /v1 */
} tags[] = {
    {"Tag_Profile_IM_Nick", "nick", .kind = TAG_TEXT, .max = VALUE_BYTES},
    {"Tag_Profile_IM_Gender", "gender", .kind = TAG_WORD, .words = genders},
    {"Tag_Profile_IM_BirthDay", "birthday", .kind = TAG_DAY},
    {"Tag_Profile_IM_Location", "location", .kind = TAG_TEXT, .max = LOCATION_BYTES},
    {"Tag_Profile_IM_SelfSignature", "signature", .kind = TAG_TEXT, .max = VALUE_BYTES},
    {"Tag_Profile_IM_AllowType", "friend_policy", .kind = TAG_WORD, .words = policies},
    {"Tag_Profile_IM_Language", "language", .kind = TAG_NUMBER, .as_text = true},
    {"Tag_Profile_IM_Image", "avatar_url", .kind = TAG_TEXT, .max = VALUE_BYTES},
    {"Tag_Profile_IM_MsgSettings", "im_msg_settings", .kind = TAG_NUMBER, .custom = true,
     .as_text = true},
    {"Tag_Profile_IM_AdminForbidType", "im_admin_forbid_type", .kind = TAG_WORD,
     .words = forbid_types, .custom = true},
    {"Tag_Profile_IM_Level", "level", .kind = TAG_NUMBER},
    {"Tag_Profile_IM_Role", "im_role", .kind = TAG_NUMBER, .custom = true, .as_text = true},
};
#define TAGS (sizeof(tags) / sizeof(tags[0]))

static const struct tag *find_tag(struct text name)
{
    for (size_t i = 0; i < TAGS; i++)
        if (text_equal(name, text_of(tags[i].outer)))
            return &tags[i];
    return NULL;
}

/* The letters of a custom tag, which are its name in /v1; absent when it is none. */
static struct text custom_name(struct text tag)
{
    struct text prefix = TEXT("Tag_Profile_Custom_");

    if (!text_starts_with(tag, prefix) || tag.len == prefix.len ||
        tag.len > prefix.len + CUSTOM_LETTERS)
        return TEXT_ABSENT;
    struct text name = {tag.ptr + prefix.len, tag.len - prefix.len};
    return text_starts_with(name, TEXT(V4_OWN_PREFIX)) ? TEXT_ABSENT : name;
}

bool v4_is_profile_tag(struct text name)
{
    return find_tag(name) || text_present(custom_name(name));
}

/* ---- values in ---- */

static json_t *word_in(const struct word *words, const json_t *value)
{
    for (const struct word *word = words; word->outer; word++)
        if (text_equal(v4_text_of(value), text_of(word->outer)))
            return json_string(word->inner);
    return NULL;
}

/* 20190419; 0 is no day. */
static json_t *day_in(int64_t number)
{
    char day[32];

    if (number == 0)
        return json_null();
    snprintf(
        day, sizeof(day), "%04lld-%02lld-%02lld", (long long)(number / 10000),
        (long long)(number / 100 % 100), (long long)(number % 100));
    return clock_is_day(text_of(day)) ? json_string(day) : NULL;
}

/* A new reference, or NULL with the ErrorCode in *ret_number. */
static json_t *value_in(const struct tag *tag, const json_t *value, int *ret_number)
{
    bool is_number = tag->kind == TAG_NUMBER || tag->kind == TAG_DAY;
    int64_t number = json_integer_value(value);
    json_t *ret = NULL;

    *ret_number = 40610;
    if (is_number ? !json_is_integer(value) : !json_is_string(value))
        return NULL;
    *ret_number = tag->kind == TAG_TEXT ? 40601 : 40605;
    if (is_number && (number < 0 || number > UINT32_MAX))
        return NULL;
    switch (tag->kind) {
    case TAG_TEXT:
        return json_string_length(value) <= tag->max ? json_incref((json_t *)value) : NULL;
    case TAG_WORD:
        return word_in(tag->words, value);
    case TAG_DAY:
        return day_in(number);
    case TAG_NUMBER:
        ret = tag->as_text ? json_sprintf("%lld", (long long)number) : json_integer(number);
        return ret;
    }
    return ret;
}

/* Adds one item to the patch of the user; 0, or the ErrorCode of what is wrong with it. */
static int add_item(json_t *patch, json_t *custom, const json_t *item)
{
    struct text name = v4_text_in(item, "Tag");
    const struct tag *tag = find_tag(name);
    struct text own = custom_name(name);
    json_t *value = json_object_get(item, "Value");
    int number = 0;

    if (!tag && !text_present(own))
        return 40009;
    if (tag) {
        value = value_in(tag, value, &number);
        if (!value)
            return number;
        json_object_set_new(tag->custom ? custom : patch, tag->inner, value);
        return 0;
    }
    if (!json_is_string(value))
        return 40610;
    if (json_string_length(value) > VALUE_BYTES)
        return 40601;
    json_object_setn(custom, own.ptr, own.len, value);
    return 0;
}

/* ---- portrait_set ---- */

static const struct v4_field profile_item[] = {
    {"Tag", .kind = V4_TEXT, .required = true, .code = 40001},
    {"Value", .kind = V4_ANY, .code = 40001},
    V4_LAST,
};

static const struct v4_field portrait_set_in[] = {
    {"From_Account", .kind = V4_TEXT, .required = true, .code = 40001},
    {"ProfileItem", .kind = V4_LIST, .required = true, .code = 40001, .min = 1, .max = 100,
     .of = profile_item},
    V4_LAST,
};

static void take_set(struct v4_call *c)
{
    /* What /v1 has less room for than /v4. */
    if (c->step_err.code == ERR_INVALID_REQUEST)
        v4_fail(c, 40601, "%s", c->step_err.fields ? c->step_err.fields->detail : "is too long");
    else if (c->step_err.code != ERR_NONE)
        v4_fail_step(c);
}

static void portrait_set(struct v4_call *c)
{
    json_t *custom = json_object();
    json_t *patch = v4_owned(c, json_pack("{s:o}", "custom", custom));
    const json_t *item;
    size_t i;

    json_array_foreach(v4_get(c, "ProfileItem"), i, item) {
        int number = add_item(patch, custom, item);
        if (number == 0)
            continue;
        v4_fail(c, number, "%s", json_string_value(json_object_get(item, "Tag")));
        return;
    }
    if (json_object_size(custom) == 0)
        json_object_del(patch, "custom");
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", v4_text(c, "From_Account"))},
        .body = json_incref(patch),
        .takes_errors = true};
    v4_ask(c, &user_patch, &ask, take_set);
}

const struct v4_work v4_portrait_set = {portrait_set_in, v4_nothing, portrait_set};

/* ---- values out ---- */

static json_t *word_out(const struct word *words, struct text inner)
{
    for (const struct word *word = words + 1; word->outer; word++)
        if (text_equal(inner, text_of(word->inner)))
            return json_string(word->outer);
    return NULL;
}

static json_t *number_out(int64_t number)
{
    return number ? json_integer(number) : NULL;
}

static json_t *day_out(struct text day)
{
    int64_t year, month, of_month;
    struct text rest = day;

    if (!text_to_i64(text_cut(&rest, '-'), &year) || !text_to_i64(text_cut(&rest, '-'), &month) ||
        !text_to_i64(rest, &of_month))
        return NULL;
    return json_integer(year * 10000 + month * 100 + of_month);
}

/* NULL for what was never set. */
static json_t *value_out(const struct tag *tag, const json_t *user)
{
    const json_t *holder = tag->custom ? json_object_get(user, "custom") : user;
    json_t *value = json_object_get(holder, tag->inner);
    struct text text = v4_text_in(holder, tag->inner);
    int64_t number = 0;

    if (!value || json_is_null(value))
        return NULL;
    switch (tag->kind) {
    case TAG_TEXT:
        return text_present(text) ? json_incref(value) : NULL;
    case TAG_WORD:
        return word_out(tag->words, text);
    case TAG_DAY:
        return day_out(text);
    case TAG_NUMBER:
        if (!tag->as_text)
            return number_out(json_integer_value(value));
        return text_to_i64(text, &number) ? json_integer(number) : NULL;
    }
    return NULL;
}

json_t *v4_profile_value(struct text name, const json_t *user)
{
    const struct tag *tag = find_tag(name);
    struct text own = custom_name(name);

    if (tag)
        return value_out(tag, user);
    json_t *value = text_present(own)
                        ? json_object_getn(json_object_get(user, "custom"), own.ptr, own.len)
                        : NULL;
    return value ? json_incref(value) : NULL;
}

void v4_add_tag(json_t *items, const json_t *tag, json_t *takes)
{
    if (takes)
        json_array_append_new(items, json_pack("{s:O, s:o}", "Tag", (json_t *)tag, "Value", takes));
}

/* ---- portrait_get ---- */

static const struct v4_field portrait_get_in[] = {
    {"To_Account", .kind = V4_TEXTS, .required = true, .code = 40002, .min = 1, .max = 100},
    {"TagList", .kind = V4_TEXTS, .required = true, .code = 40001, .min = 1, .max = 100},
    V4_LAST,
};

static const struct v4_field user_profile[] = {
    {"To_Account", .kind = V4_TEXT},
    {"ProfileItem", .kind = V4_LIST, .of = profile_item},
    {"ResultCode", .kind = V4_INT},
    {"ResultInfo", .kind = V4_TEXT},
    V4_LAST,
};

static const struct v4_field portrait_get_out[] = {
    {"UserProfileItem", .kind = V4_LIST, .of = user_profile},
    {"Fail_Account", .kind = V4_TEXTS},
    V4_LAST,
};

static void ask_profile(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    if (v4_is_user(v4_text_of(item)))
        ret->path[0] = (struct param)V4_PARAM("user", v4_text_of(item));
    else
        v4_result(c, "UserProfileItem", json_string_value(item), 40003);
}

static void take_profile(struct v4_call *c, const json_t *item)
{
    json_t *entry = v4_result(c, "UserProfileItem", json_string_value(item), v4_step_number(c));
    const json_t *tag;
    size_t i;

    if (c->step_err.code != ERR_NONE)
        return;
    json_t *items = json_array();
    json_array_foreach(v4_get(c, "TagList"), i, tag)
        v4_add_tag(items, tag, v4_profile_value(v4_text_of(tag), v4_reply(c)));
    json_object_set_new(entry, "ProfileItem", items);
}

static void portrait_get(struct v4_call *c)
{
    const json_t *tag;
    size_t i;
    const struct v4_each each = {
        .items = v4_get(c, "To_Account"),
        .operation = &user_get,
        .ask = ask_profile,
        .take = take_profile};

    json_array_foreach(v4_get(c, "TagList"), i, tag) {
        if (v4_is_profile_tag(v4_text_of(tag)))
            continue;
        v4_fail(c, 40009, "%s is no tag", json_string_value(tag));
        return;
    }
    v4_for_each(c, &each);
}

const struct v4_work v4_portrait_get = {portrait_get_in, portrait_get_out, portrait_get};

/* ---- mute ---- */

static const struct v4_field setnospeaking_in[] = {
    {"Set_Account", .kind = V4_TEXT, .required = true, .code = 130004},
    {"C2CmsgNospeakingTime", .kind = V4_INT, .code = 130001, .max = UINT32_MAX},
    {"GroupmsgNospeakingTime", .kind = V4_INT, .code = 130001, .max = UINT32_MAX},
    V4_LAST,
};

static json_t *until_in(int64_t seconds)
{
    char time[CLOCK_TEXT];

    if (seconds == 0)
        return json_null();
    if (seconds == FOR_EVER)
        return json_string("9999-12-31T23:59:59Z");
    return v4_json_text(clock_to_text(clock_now_us() + seconds * USEC_PER_SEC, time));
}

static void setnospeaking(struct v4_call *c)
{
    bool of_users = v4_get(c, "C2CmsgNospeakingTime");
    struct v4_ask ask = {.path = {V4_PARAM("user", v4_text(c, "Set_Account"))}};

    if (!of_users && !v4_get(c, "GroupmsgNospeakingTime")) {
        v4_fail(c, 130008, "both times are missing");
        return;
    }
    /* There are no groups to be muted in. */
    ask.body = of_users
                   ? json_pack("{s:o}", "until", until_in(v4_int(c, "C2CmsgNospeakingTime", 0)))
                   : json_object();
    v4_ask(c, &user_mute, &ask, NULL);
}

const struct v4_work v4_setnospeaking = {setnospeaking_in, v4_nothing, setnospeaking};

static const struct v4_field getnospeaking_in[] = {
    {"Get_Account", .kind = V4_TEXT, .required = true, .code = 130002},
    V4_LAST,
};

static const struct v4_field getnospeaking_out[] = {
    {"C2CmsgNospeakingTime", .kind = V4_INT},
    {"GroupmsgNospeakingTime", .kind = V4_INT},
    V4_LAST,
};

static int64_t seconds_left(struct text until)
{
    int64_t until_us = 0;

    if (!text_present(until) || !clock_from_text(until, &until_us))
        return 0;
    int64_t left_s = (until_us - clock_now_us()) / USEC_PER_SEC;
    return left_s < 0 ? 0 : left_s < FOR_EVER ? left_s : FOR_EVER;
}

static void take_mute(struct v4_call *c)
{
    if (c->step_err.code == ERR_USER_UNKNOWN) {
        v4_fail(c, 130003, "Get_Account is no account");
        return;
    }
    if (c->step_err.code != ERR_NONE) {
        v4_fail_step(c);
        return;
    }
    v4_answer(
        c, "C2CmsgNospeakingTime",
        json_integer(seconds_left(v4_text_in(v4_reply(c), "muted_until"))));
    v4_answer(c, "GroupmsgNospeakingTime", json_integer(0));
}

static void getnospeaking(struct v4_call *c)
{
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", v4_text(c, "Get_Account"))}, .takes_errors = true};

    v4_ask(c, &user_get, &ask, take_mute);
}

const struct v4_work v4_getnospeaking = {getnospeaking_in, getnospeaking_out, getnospeaking};
