/* Sessions, who is online, and numbers of the app. */
#include "http/v4/state.h"
#include "ops/services.h"

/* ---- kick ---- */

static const struct v4_field kick_in[] = {
    {"UserID", .also = "Identifier", .kind = V4_TEXT, .required = true, .code = 70402},
    V4_LAST,
};

static void kicked(struct v4_call *c)
{
    v4_forget(c->op->services->v4, v4_text(c, "UserID"));
}

static void kick(struct v4_call *c)
{
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", v4_text(c, "UserID"))}, .body = json_object()};

    v4_ask(c, &user_kick, &ask, kicked);
}

const struct v4_work v4_kick = {kick_in, v4_nothing, kick};

/* ---- query_online_status ---- */

static const struct v4_field query_online_status_in[] = {
    {"To_Account", .kind = V4_TEXTS, .required = true, .code = 90001, .max = 500,
     .limit_code = 90011},
    {"IsNeedDetail", .kind = V4_INT, .code = 90001},
    V4_LAST,
};

static const struct v4_field platform_detail[] = {
    {"Platform", .kind = V4_TEXT},
    {"Status", .kind = V4_TEXT},
    V4_LAST,
};

static const struct v4_field query_result[] = {
    {"To_Account", .kind = V4_TEXT},
    {"Status", .kind = V4_TEXT},
    {"State", .kind = V4_TEXT},
    {"Detail", .kind = V4_LIST, .of = platform_detail},
    V4_LAST,
};

static const struct v4_field failed_query[] = {
    {"To_Account", .kind = V4_TEXT},
    {"ErrorCode", .kind = V4_INT},
    V4_LAST,
};

static const struct v4_field query_online_status_out[] = {
    {"QueryResult", .kind = V4_LIST, .of = query_result},
    {"ErrorList", .kind = V4_LIST, .of = failed_query},
    V4_LAST,
};

static const char *status_word(struct text state)
{
    if (text_equal(state, TEXT("online")))
        return "Online";
    return text_equal(state, TEXT("push")) ? "PushOnline" : "Offline";
}

static const char *platform_word(struct text platform)
{
    static const char *const words[][2] = {{"ios", "iPhone"},      {"ipad", "iPad"},
                                           {"android", "Android"}, {"web", "Web"},
                                           {"macos", "Mac"},       {"mac", "Mac"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_equal(platform, text_of(words[i][0])))
            return words[i][1];
    return "PC";
}

static json_t *status_out(const json_t *user, struct text state)
{
    const char *word = status_word(state);

    /* SDKs of the old path read State. */
    return json_pack("{s:O, s:s, s:s}", "To_Account", user, "Status", word, "State", word);
}

static void add_unknown(struct v4_call *c, const json_t *user)
{
    json_array_append_new(
        json_object_get(c->answer, "ErrorList"),
        json_pack("{s:O, s:i}", "To_Account", user, "ErrorCode", 70107));
}

static void end_query(struct v4_call *c)
{
    if (json_array_size(json_object_get(c->answer, "QueryResult")) == 0)
        v4_fail(c, 70107, "no To_Account is an account");
}

static void take_states(struct v4_call *c)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(v4_reply(c), "items"), i, item) {
        const json_t *user = json_object_get(item, "user");
        struct text state = v4_text_in(item, "state");
        if (text_equal(state, TEXT("unknown")))
            add_unknown(c, user);
        else
            json_array_append_new(
                json_object_get(c->answer, "QueryResult"), status_out(user, state));
    }
    end_query(c);
}

static void ask_details(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    (void)c;
    ret->path[0] = (struct param)V4_PARAM("user", v4_text_of(item));
}

/* Whoever is offline has no details. */
static void take_details(struct v4_call *c, const json_t *item)
{
    json_t *details = json_array();
    const json_t *device;
    size_t i;

    if (c->step_err.code == ERR_USER_UNKNOWN) {
        add_unknown(c, item);
        json_decref(details);
        return;
    }
    if (c->step_err.code != ERR_NONE) {
        json_decref(details);
        v4_fail_step(c);
        return;
    }
    json_t *entry = status_out(item, v4_text_in(v4_reply(c), "state"));
    json_array_foreach(json_object_get(v4_reply(c), "devices"), i, device) {
        struct text state = v4_text_in(device, "state");
        if (text_equal(state, TEXT("online")) || text_equal(state, TEXT("push")))
            json_array_append_new(
                details,
                json_pack(
                    "{s:s, s:s}", "Platform", platform_word(v4_text_in(device, "platform")),
                    "Status", status_word(state)));
    }
    if (json_array_size(details))
        json_object_set(entry, "Detail", details);
    json_decref(details);
    json_array_append_new(json_object_get(c->answer, "QueryResult"), entry);
}

/* Those of To_Account that could be accounts; the others are unknown. */
static json_t *users_of(struct v4_call *c)
{
    json_t *users = v4_owned(c, json_array());
    json_t *user;
    size_t i;

    json_array_foreach(v4_get(c, "To_Account"), i, user) {
        if (v4_is_user(v4_text_of(user)))
            json_array_append(users, user);
        else
            add_unknown(c, user);
    }
    return users;
}

static void query_online_status(struct v4_call *c)
{
    if (json_array_size(v4_get(c, "To_Account")) == 0) {
        v4_fail(c, 90001, "To_Account is empty");
        return;
    }
    v4_answer(c, "QueryResult", json_array());
    v4_answer(c, "ErrorList", json_array());
    json_t *users = users_of(c);
    const struct v4_each each = {
        .items = users,
        .operation = &presence_get,
        .ask = ask_details,
        .take = take_details,
        .done = end_query};
    struct v4_ask ask = {.takes_errors = false};

    if (json_array_size(users) == 0) {
        end_query(c);
    } else if (v4_int(c, "IsNeedDetail", 0) == 1) {
        v4_for_each(c, &each);
    } else {
        ask.body = json_pack("{s:O}", "users", users);
        v4_ask(c, &presence_list, &ask, take_states);
    }
}

const struct v4_work v4_query_online_status = {
    query_online_status_in, query_online_status_out, query_online_status};

/* ---- getappinfo ---- */

static const struct v4_field getappinfo_in[] = {
    {"RequestField", .kind = V4_TEXTS, .code = 130001},
    V4_LAST,
};

static const struct v4_field getappinfo_out[] = {
    {"Result", .kind = V4_ANY},
    V4_LAST,
};

#define DAY_CHARS 10 /* 2026-11-22 */

static bool is_wanted(const struct v4_call *c, const char *name)
{
    const json_t *fields = v4_get(c, "RequestField");
    const json_t *field;
    size_t i;

    json_array_foreach(fields, i, field)
        if (strcmp(json_string_value(field), name) == 0)
            return true;
    return json_array_size(fields) == 0;
}

static void add_number(const struct v4_call *c, json_t *day, const char *name, int64_t number)
{
    if (is_wanted(c, name))
        json_object_set_new(day, name, json_sprintf("%lld", (long long)number));
}

/* "2026-11-22" as "20261122". */
static json_t *date_out(struct text day)
{
    return json_sprintf("%.4s%.2s%.2s", day.ptr, day.ptr + 5, day.ptr + 8);
}

/* What is not counted here is 0, every value a text. `now`: what is known of today alone; NULL of
 * other days. */
static json_t *day_out(
    const struct v4_call *c, struct text day, const json_t *messages, const json_t *now)
{
    static const char *const counted[] = {"C2CUpMsgNum", "C2CDownMsgNum", "UpMsgNum", "DownMsgNum"};
    static const char *const uncounted[] = {
        "ActiveUserNum",  "RegistUserNumOneDay", "LoginTimes",      "LoginUserNum",
        "SendMsgUserNum", "C2CSendMsgUserNum",   "APNSMsgNum",      "C2CAPNSMsgNum",
        "ChainIncrease",  "ChainDecrease",       "CallBackReq",     "CallBackRsp",
        "GroupUpMsgNum",  "GroupDownMsgNum",     "GroupAllGroupNum"};
    json_t *out = json_pack("{s:o}", "Date", date_out(day));

    if (is_wanted(c, "AppName"))
        json_object_set_new(out, "AppName", json_string("Duet"));
    if (is_wanted(c, "Company"))
        json_object_set_new(out, "Company", json_string(""));
    add_number(c, out, "AppId", c->op->services->settings->v4_app_id);
    add_number(c, out, "RegistUserNumTotal", json_integer_value(json_object_get(now, "users")));
    add_number(c, out, "MaxOnlineNum", json_integer_value(json_object_get(now, "users_online")));
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
        add_number(c, out, counted[i], json_integer_value(messages));
    for (size_t i = 0; i < sizeof(uncounted) / sizeof(uncounted[0]); i++)
        add_number(c, out, uncounted[i], 0);
    return out;
}

/* Today is there before its first hour is over. */
static void take_stats(struct v4_call *c)
{
    const json_t *stats = v4_reply(c);
    const json_t *day;
    json_t *result = json_array();
    size_t i;
    struct text today = v4_text_in(stats, "at");

    today.len = DAY_CHARS;
    json_array_append_new(result, day_out(c, today, NULL, stats));
    json_array_foreach(json_object_get(stats, "messages_by_day"), i, day) {
        struct text date = v4_text_in(day, "day");
        const json_t *messages = json_object_get(day, "messages");
        if (text_equal(date, today))
            json_array_set_new(result, 0, day_out(c, today, messages, stats));
        else
            json_array_append_new(result, day_out(c, date, messages, NULL));
    }
    c->info = "OK";
    v4_answer(c, "Result", result);
}

static void getappinfo(struct v4_call *c)
{
    const struct v4_ask ask = {.takes_errors = false};

    v4_ask(c, &stats_get, &ask, take_stats);
}

const struct v4_work v4_getappinfo = {getappinfo_in, getappinfo_out, getappinfo};

/* ---- GetIPList ---- */

static const struct v4_field get_ip_list_out[] = {
    {"IPList", .kind = V4_TEXTS},
    V4_LAST,
};

/* This server calls nobody's. */
static void get_ip_list(struct v4_call *c)
{
    v4_answer(c, "IPList", json_array());
}

const struct v4_work v4_get_ip_list = {v4_nothing, get_ip_list_out, get_ip_list};
