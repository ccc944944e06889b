/* im_open_login_svc: accounts. */
#include "http/v4/state.h"

#define ID_BYTES 32 /* as the service has it; /v1 takes longer ones */
#define ACCOUNTS_MAX 100

#define PROFILE_MEMBERS                                                                            \
    {"Nick", .kind = V4_TEXT, .code = 70402, .max = 500, .limit_code = 40601},                     \
    {                                                                                              \
        "FaceUrl", .kind = V4_TEXT, .code = 70402, .max = 500, .limit_code = 40601                 \
    }
#define USER_ID_MEMBER                                                                             \
    {                                                                                              \
        "UserID", .also = "Identifier", .kind = V4_TEXT, .required = true, .code = 70402           \
    }

static const struct v4_field account_import_in[] = {
    USER_ID_MEMBER,
    PROFILE_MEMBERS,
    V4_LAST,
};

static json_t *profile_in(struct text nick, struct text face_url)
{
    json_t *profile = json_object();

    if (text_present(nick))
        json_object_set_new(profile, "nick", v4_json_text(nick));
    if (text_present(face_url))
        json_object_set_new(profile, "avatar_url", v4_json_text(face_url));
    return profile;
}

/* An id that no path of /v1 could name would make an account that nobody can read or delete. */
static bool is_id(struct text id)
{
    return id.len > 0 && id.len <= ID_BYTES && !text_has_control(id) && text_is_utf8(id) &&
           !memchr(id.ptr, '/', id.len) && !memchr(id.ptr, '\\', id.len) &&
           !text_equal(id, TEXT(".")) && !text_equal(id, TEXT(".."));
}

static json_t *imported_profile(const struct v4_call *c)
{
    return profile_in(v4_text(c, "Nick"), v4_text(c, "FaceUrl"));
}

static void make_account(struct v4_call *c)
{
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", v4_text(c, "UserID"))}, .body = imported_profile(c)};

    if (c->step_err.code == ERR_NONE)
        json_decref(ask.body);
    else if (c->step_err.code == ERR_USER_UNKNOWN)
        v4_ask(c, &user_put, &ask, NULL);
    else
        v4_fail_step(c);
}

/* What an account has and is not given stays: the account is changed, or else made. */
static void account_import(struct v4_call *c)
{
    struct text id = v4_text(c, "UserID");
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", id)}, .body = imported_profile(c), .takes_errors = true};

    if (is_id(id)) {
        v4_ask(c, &user_patch, &ask, make_account);
        return;
    }
    json_decref(ask.body);
    v4_fail(c, 70402, "UserID must be 1 to %d bytes without slashes", ID_BYTES);
}

const struct v4_work v4_account_import = {account_import_in, v4_nothing, account_import};

/* ---- multiaccount_import ---- */

static const struct v4_field listed_account[] = {
    {"UserID", .kind = V4_TEXT, .code = 70402},
    PROFILE_MEMBERS,
    V4_LAST,
};

static const struct v4_field multiaccount_import_in[] = {
    {"Accounts", .kind = V4_TEXTS, .code = 70402, .max = ACCOUNTS_MAX, .limit_code = 70206},
    {"AccountList", .kind = V4_LIST, .code = 70402, .max = ACCOUNTS_MAX, .limit_code = 70206,
     .of = listed_account},
    V4_LAST,
};

static const struct v4_field multiaccount_import_out[] = {
    {"FailAccounts", .kind = V4_TEXTS},
    V4_LAST,
};

static struct text listed_id(const json_t *item)
{
    return json_is_object(item) ? v4_text_in(item, "UserID") : v4_text_of(item);
}

static json_t *listed_profile(const json_t *item)
{
    return profile_in(v4_text_in(item, "Nick"), v4_text_in(item, "FaceUrl"));
}

static void fail_account(struct v4_call *c, struct text id)
{
    json_array_append_new(
        json_object_get(c->answer, "FailAccounts"), v4_json_text(text_present(id) ? id : TEXT("")));
}

static void ask_listed(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    struct text id = listed_id(item);

    if (!text_present(id) || !is_id(id)) {
        fail_account(c, id);
        return;
    }
    ret->path[0] = (struct param)V4_PARAM("user", id);
    ret->body = listed_profile(item);
}

/* Who is not there yet is made with all the others at once. */
static void take_listed(struct v4_call *c, const json_t *item)
{
    if (c->step_err.code == ERR_USER_UNKNOWN) {
        json_t *user = listed_profile(item);
        json_object_set_new(user, "id", v4_json_text(listed_id(item)));
        json_array_append_new(c->state, user);
    } else if (c->step_err.code != ERR_NONE) {
        fail_account(c, listed_id(item));
    }
}

/* Where none could be made there are no results. */
static void take_made(struct v4_call *c)
{
    const json_t *user, *result;
    size_t i;

    if (c->step_err.code == ERR_INVALID_REQUEST) {
        json_array_foreach((json_t *)c->state, i, user)
            fail_account(c, v4_text_in(user, "id"));
        return;
    }
    if (c->step_err.code != ERR_NONE) {
        v4_fail_step(c);
        return;
    }
    json_array_foreach(json_object_get(v4_reply(c), "results"), i, result)
        if (json_object_get(result, "problem"))
            fail_account(c, v4_text_in(result, "id"));
}

static void make_listed(struct v4_call *c)
{
    const struct v4_ask ask = {.body = json_pack("{s:O}", "users", c->state), .takes_errors = true};

    if (json_array_size(c->state))
        v4_ask(c, &user_import, &ask, take_made);
    else
        json_decref(ask.body);
}

static void multiaccount_import(struct v4_call *c)
{
    const json_t *accounts = v4_get(c, "Accounts");
    const json_t *list = v4_get(c, "AccountList");
    const struct v4_each each = {
        .items = json_array_size(accounts) ? accounts : list,
        .operation = &user_patch,
        .ask = ask_listed,
        .take = take_listed,
        .done = make_listed};

    if (json_array_size(each.items) == 0) {
        v4_fail(c, 70402, "Accounts is missing");
        return;
    }
    v4_answer(c, "FailAccounts", json_array());
    c->state = v4_owned(c, json_array());
    v4_for_each(c, &each);
}

const struct v4_work v4_multiaccount_import = {
    multiaccount_import_in, multiaccount_import_out, multiaccount_import};

/* ---- account_delete, account_check ---- */

static const struct v4_field named_account[] = {
    {"UserID", .kind = V4_TEXT, .required = true, .code = 70402},
    V4_LAST,
};

static const struct v4_field account_delete_in[] = {
    {"DeleteItem", .kind = V4_LIST, .required = true, .code = 70402, .min = 1, .max = ACCOUNTS_MAX,
     .limit_code = 70206, .of = named_account},
    V4_LAST,
};

static const struct v4_field account_result[] = {
    {"UserID", .kind = V4_TEXT},
    {"ResultCode", .kind = V4_INT},
    {"ResultInfo", .kind = V4_TEXT},
    {"AccountStatus", .kind = V4_TEXT},
    V4_LAST,
};

static const struct v4_field account_results_out[] = {
    {"ResultItem", .kind = V4_LIST, .of = account_result},
    V4_LAST,
};

static json_t *add_result(struct v4_call *c, const json_t *item, int number)
{
    json_t *entry = json_pack(
        "{s:O, s:i, s:s}", "UserID", json_object_get(item, "UserID"), "ResultCode", number,
        "ResultInfo", number ? err_info(v4_code(number))->title : "");

    json_array_append_new(json_object_get(c->answer, "ResultItem"), entry);
    return entry;
}

static void ask_to_delete(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    struct text id = v4_text_in(item, "UserID");

    if (v4_is_user(id))
        ret->path[0] = (struct param)V4_PARAM("user", id);
    else
        add_result(c, item, v4_number(V4_ACCOUNTS, ERR_USER_UNKNOWN));
}

static void take_deleted(struct v4_call *c, const json_t *item)
{
    add_result(c, item, v4_step_number(c));
}

static void account_delete(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "DeleteItem"),
        .operation = &user_delete,
        .ask = ask_to_delete,
        .take = take_deleted};

    v4_answer(c, "ResultItem", json_array());
    v4_for_each(c, &each);
}

const struct v4_work v4_account_delete = {account_delete_in, account_results_out, account_delete};

static const struct v4_field account_check_in[] = {
    {"CheckItem", .kind = V4_LIST, .required = true, .code = 70402, .min = 1, .max = ACCOUNTS_MAX,
     .limit_code = 70206, .of = named_account},
    V4_LAST,
};

static void tell_checked(struct v4_call *c, const json_t *item, int number, bool imported)
{
    json_t *entry = add_result(c, item, number);

    json_object_set_new(entry, "AccountStatus", json_string(imported ? "Imported" : "NotImported"));
}

static void ask_to_check(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    struct text id = v4_text_in(item, "UserID");

    if (v4_is_user(id))
        ret->path[0] = (struct param)V4_PARAM("user", id);
    else
        tell_checked(c, item, 0, false);
}

static void take_checked(struct v4_call *c, const json_t *item)
{
    bool unknown = c->step_err.code == ERR_USER_UNKNOWN;

    tell_checked(c, item, unknown ? 0 : v4_step_number(c), c->step_err.code == ERR_NONE);
}

static void account_check(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "CheckItem"),
        .operation = &user_get,
        .ask = ask_to_check,
        .take = take_checked};

    v4_answer(c, "ResultItem", json_array());
    v4_for_each(c, &each);
}

const struct v4_work v4_account_check = {account_check_in, account_results_out, account_check};
