#include "ops/user.h"

#include "base/clock.h"
#include "base/op.h"
#include "ops/problem.h"
#include "ops/services.h"
#include "store/store.h"

static bool fits_path(struct text name)
{
    return !memchr(name.ptr, '/', name.len) && !memchr(name.ptr, '\\', name.len) &&
           !text_equal(name, TEXT(".")) && !text_equal(name, TEXT(".."));
}

static int check_name(struct text name, const char *pointer, struct err *err)
{
    if (!text_present(name) || fits_path(name))
        return 0;
    return err_field(
        err, ERR_INVALID_REQUEST, pointer,
        "must not hold a slash or backslash, or be \".\" or \"..\"");
}

int check_new_name(const struct op *op, struct text name, const char *pointer, struct err *err)
{
    return op->inner ? 0 : check_name(name, pointer, err);
}

static const struct field profile_list[] = {
    FIELD_TEXT(struct profile, nick),
    FIELD_TEXT(struct profile, avatar_url),
    FIELD_END,
};

const struct fields profile_fields = FIELDS(profile_list, struct profile);

static const struct field sender_profile_list[] = {
    FIELD_TEXT(struct sender_profile, nick),
    FIELD_TEXT(struct sender_profile, avatar_url),
    FIELD_BOOL(struct sender_profile, deleted),
    FIELD_END,
};

const struct fields sender_profile_fields = FIELDS(sender_profile_list, struct sender_profile);

static const char *const genders[] = {"unknown", "male", "female", NULL};
static const char *const friend_policies[] = {"anyone", "approval", "nobody", NULL};

/* ---- what a user is described by ---- */

#define PROFILE_MEMBERS                                                                            \
    struct text nick;                                                                              \
    struct text avatar_url;                                                                        \
    struct text gender;                                                                            \
    struct text birthday;                                                                          \
    struct text language;                                                                          \
    struct text location;                                                                          \
    struct text signature;                                                                         \
    int64_t level;                                                                                 \
    json_t *custom;                                                                                \
    struct text friend_policy

#define PROFILE_TEXTS(type)                                                                        \
    FIELD_TEXT(type, nick, .max = 256), FIELD_TEXT(type, avatar_url, .max = 1024),                 \
        FIELD_TEXT(type, birthday, .min = 10, .max = 10), FIELD_TEXT(type, language, .max = 35),   \
        FIELD_TEXT(type, location, .max = 256),                                                    \
        FIELD_TEXT(type, signature, .max = 1024, .multiline = true)

/* Where the whole profile is replaced: what is absent has its default. */
#define PROFILE_FIELDS(type)                                                                       \
    PROFILE_TEXTS(type), FIELD_TEXT(type, gender, .one_of = genders, .fallback_text = "unknown"),  \
        FIELD_INT(type, level, .max = UINT32_MAX, .has_fallback = true),                           \
        FIELD_MAP(type, custom, .max = 64, .max_value_bytes = 1024),                               \
        FIELD_TEXT(type, friend_policy, .one_of = friend_policies, .fallback_text = "anyone")

/* ---- the user, as every call shows it ---- */

struct user {
    struct text id;
    PROFILE_MEMBERS;
    int64_t muted_until;
    int64_t created_at;
    int64_t updated_at;
};

static const struct field user_fields[] = {
    FIELD_TEXT(struct user, id),
    FIELD_TEXT(struct user, nick),
    FIELD_TEXT(struct user, avatar_url),
    FIELD_TEXT(struct user, gender, .one_of = genders),
    FIELD_TEXT(struct user, birthday),
    FIELD_TEXT(struct user, language),
    FIELD_TEXT(struct user, location),
    FIELD_TEXT(struct user, signature),
    FIELD_INT(struct user, level),
    FIELD_MAP(struct user, custom),
    FIELD_TEXT(struct user, friend_policy, .one_of = friend_policies),
    FIELD_TIME(struct user, muted_until),
    FIELD_TIME(struct user, created_at),
    FIELD_TIME(struct user, updated_at),
    FIELD_END,
};

static const struct fields user_table = FIELDS(user_fields, struct user);

/* ---- user_put ---- */

struct user_put {
    struct text user;
    PROFILE_MEMBERS;
};

static const struct field user_put_fields[] = {
    FIELD_USER(struct user_put),
    PROFILE_FIELDS(struct user_put),
    FIELD_END,
};

/* `prefix` is the pointer of the object that holds it. */
static int check_birthday(struct err *err, const char *prefix, struct text birthday)
{
    if (text_present(birthday) && !clock_is_day(birthday))
        return err_field(
            err, ERR_INVALID_REQUEST, arena_printf(err->arena, "%s/birthday", prefix),
            "must be a day such as 1990-05-17");
    return 0;
}

static int user_put_check(struct op *op)
{
    return check_birthday(op->err, "", ((const struct user_put *)op->in)->birthday);
}

const struct operation user_put = {
    .name = "user_put",
    .lane = LANE_READER,
    .check = user_put_check,
    .audit = true,
    .in = FIELDS(user_put_fields, struct user_put),
    .out = FIELDS(user_fields, struct user),
    .location = "/v1/users/{id}",
};

/* ---- user_get ---- */

struct user_get {
    struct text user;
};

static const struct field user_get_fields[] = {
    FIELD_USER(struct user_get),
    FIELD_END,
};

const struct operation user_get = {
    .name = "user_get",
    .lane = LANE_READER,
    .in = FIELDS(user_get_fields, struct user_get),
    .out = FIELDS(user_fields, struct user),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- user_patch ---- */

struct user_patch {
    struct text user;
    struct text as_user;
    PROFILE_MEMBERS;
};

static const struct field user_patch_fields[] = {
    FIELD_USER(struct user_patch),
    FIELD_TEXT(struct user_patch, as_user, .from = IN_CALLER),
    PROFILE_TEXTS(struct user_patch),
    FIELD_TEXT(struct user_patch, gender, .one_of = genders),
    FIELD_INT(struct user_patch, level, .max = UINT32_MAX),
    FIELD_MAP(struct user_patch, custom, .max = 64, .max_value_bytes = 1024, .null_values = true),
    FIELD_TEXT(struct user_patch, friend_policy, .one_of = friend_policies),
    FIELD_END,
};

static int user_patch_check(struct op *op)
{
    return check_birthday(op->err, "", ((const struct user_patch *)op->in)->birthday);
}

const struct operation user_patch = {
    .name = "user_patch",
    .lane = LANE_READER,
    .check = user_patch_check,
    .merge_patch = true,
    .audit = true,
    .in = FIELDS(user_patch_fields, struct user_patch),
    .out = FIELDS(user_fields, struct user),
    .invalid = "would have more than 64 members",
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- user_list ---- */

struct user_list {
    struct text prefix;
    struct text cursor;
    int64_t limit;
};

static const struct field user_list_fields[] = {
    FIELD_TEXT(struct user_list, prefix, .from = IN_QUERY, .min = 1, .max = USER_ID_BYTES),
    FIELD_CURSOR(struct user_list),
    FIELD_LIMIT(struct user_list),
    FIELD_END,
};

struct user_page {
    struct list items;
    struct text next_cursor;
};

static const struct field user_page_fields[] = {
    FIELD_LIST(struct user_page, items, .of = &user_table),
    FIELD_NEXT_CURSOR(struct user_page),
    FIELD_END,
};

const struct operation user_list = {
    .name = "user_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(user_list_fields, struct user_list),
    .out = FIELDS(user_page_fields, struct user_page),
    .refuses = (const enum err_code[]){ERR_CURSOR_INVALID, ERR_NONE},
};

/* ---- user_import ---- */

struct user_import_item {
    struct text id;
    PROFILE_MEMBERS;
};

static const struct field user_import_item_fields[] = {
    FIELD_TEXT(struct user_import_item, id, .required = true, .min = 1, .max = USER_ID_BYTES),
    PROFILE_FIELDS(struct user_import_item),
    FIELD_END,
};

static const struct fields user_import_item_table =
    FIELDS(user_import_item_fields, struct user_import_item);

/* An id that no path could name would make a user whom nobody can read or delete. */
static int check_import_item(struct err *err, const char *pointer, const void *item)
{
    const struct user_import_item *user = item;
    int birthday = check_birthday(err, pointer, user->birthday);
    int name = check_name(user->id, arena_printf(err->arena, "%s/id", pointer), err);

    return birthday == 0 && name == 0 ? 0 : -1;
}

struct user_import {
    struct list users;
    struct text idempotency_key;
};

static const struct field user_import_fields[] = {
    FIELD_LIST(
        struct user_import,
        users,
        .required = true,
        .min = 1,
        .max = 100,
        .of = &user_import_item_table,
        .one_by_one = true,
        .check_item = check_import_item),
    FIELD_IDEMPOTENCY_KEY(struct user_import),
    FIELD_END,
};

struct user_import_result {
    struct text id;
    int64_t status;
    struct text problem; /* in the row only its code */
};

static const struct field user_import_result_fields[] = {
    FIELD_TEXT(struct user_import_result, id),
    FIELD_INT(struct user_import_result, status),
    FIELD_RAW(struct user_import_result, problem, .column = "code", .omit_absent = true),
    FIELD_END,
};

static const struct fields user_import_result_table =
    FIELDS(user_import_result_fields, struct user_import_result);

struct user_import_results {
    struct list results;
};

static const struct field user_import_results_fields[] = {
    FIELD_LIST(struct user_import_results, results, .of = &user_import_result_table),
    FIELD_END,
};

static int user_import_run(struct op *op)
{
    if (store_call_rows(op) != 0)
        return -1;
    problem_tell(op, "users", "id");
    return 0;
}

const struct operation user_import = {
    .name = "user_import",
    .lane = LANE_READER,
    .run = user_import_run,
    .audit = true,
    .in = FIELDS(user_import_fields, struct user_import),
    .out = FIELDS(user_import_results_fields, struct user_import_results),
};

/* ---- user_mute ---- */

struct user_mute {
    struct text user;
    int64_t until;
};

static const struct field user_mute_fields[] = {
    FIELD_USER(struct user_mute),
    FIELD_TIME(struct user_mute, until),
    FIELD_END,
};

const struct operation user_mute = {
    .name = "user_mute",
    .lane = LANE_READER,
    .merge_patch = true,
    .audit = true,
    .in = FIELDS(user_mute_fields, struct user_mute),
    .out = FIELDS(user_fields, struct user),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- tags ---- */

struct user_tag {
    struct text user;
    struct text tag;
};

static const struct field user_tag_fields[] = {
    FIELD_USER(struct user_tag),
    FIELD_TEXT(struct user_tag, tag, .from = IN_PATH, .required = true, .min = 1, .max = TAG_BYTES),
    FIELD_END,
};

const struct operation user_tag_put = {
    .name = "user_tag_put",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(user_tag_fields, struct user_tag),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_TAGS_FULL, ERR_NONE},
};

const struct operation user_tag_delete = {
    .name = "user_tag_delete",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(user_tag_fields, struct user_tag),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

struct user_tag_list {
    struct text user;
    struct text cursor;
    int64_t limit;
};

static const struct field user_tag_list_fields[] = {
    FIELD_USER(struct user_tag_list),
    FIELD_CURSOR(struct user_tag_list),
    FIELD_LIMIT(struct user_tag_list),
    FIELD_END,
};

struct tag {
    struct text tag;
    int64_t created_at;
};

static const struct field tag_fields[] = {
    FIELD_TEXT(struct tag, tag),
    FIELD_TIME(struct tag, created_at),
    FIELD_END,
};

static const struct fields tag_table = FIELDS(tag_fields, struct tag);

struct tag_page {
    struct list items;
    struct text next_cursor;
};

static const struct field tag_page_fields[] = {
    FIELD_LIST(struct tag_page, items, .of = &tag_table),
    FIELD_NEXT_CURSOR(struct tag_page),
    FIELD_END,
};

const struct operation user_tag_list = {
    .name = "user_tag_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(user_tag_list_fields, struct user_tag_list),
    .out = FIELDS(tag_page_fields, struct tag_page),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_CURSOR_INVALID, ERR_NONE},
};

/* ---- tags of many users ---- */

#define TAGGED_MAX 100
#define TAGS_CHANGED_MAX 100
#define TAG_PREFIXES_MAX 16

struct user_tag_query {
    struct list users;
};

static const struct field user_tag_query_fields[] = {
    FIELD_TEXTS(
        struct user_tag_query,
        users,
        .required = true,
        .min = 1,
        .max = TAGGED_MAX,
        .max_value_bytes = USER_ID_BYTES),
    FIELD_END,
};

struct tagged {
    struct text user;
    struct list tags;
};

static const struct field tagged_list[] = {
    FIELD_TEXT(struct tagged, user),
    FIELD_TEXTS(struct tagged, tags),
    FIELD_END,
};

static const struct fields tagged_fields = FIELDS(tagged_list, struct tagged);

struct all_tagged {
    struct list items;
};

static const struct field all_tagged_fields[] = {
    FIELD_LIST(struct all_tagged, items, .of = &tagged_fields),
    FIELD_END,
};

const struct operation user_tag_query = {
    .name = "user_tag_query",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(user_tag_query_fields, struct user_tag_query),
    .out = FIELDS(all_tagged_fields, struct all_tagged),
};

struct tag_change {
    struct text user;
    struct list remove;
    struct list remove_prefixes;
    struct list add;
};

static const struct field tag_change_list[] = {
    FIELD_TEXT(struct tag_change, user, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_TEXTS(struct tag_change, remove, .max = TAGS_CHANGED_MAX, .max_value_bytes = TAG_BYTES),
    FIELD_TEXTS(
        struct tag_change, remove_prefixes, .max = TAG_PREFIXES_MAX, .max_value_bytes = TAG_BYTES),
    FIELD_TEXTS(struct tag_change, add, .max = TAGS_CHANGED_MAX, .max_value_bytes = TAG_BYTES),
    FIELD_END,
};

static const struct fields tag_change_fields = FIELDS(tag_change_list, struct tag_change);

struct user_tag_change {
    struct list changes;
    struct text idempotency_key;
};

static const struct field user_tag_change_fields[] = {
    FIELD_LIST(
        struct user_tag_change,
        changes,
        .required = true,
        .min = 1,
        .max = TAGGED_MAX,
        .of = &tag_change_fields,
        .one_by_one = true),
    FIELD_IDEMPOTENCY_KEY(struct user_tag_change),
    FIELD_END,
};

struct tag_changed {
    struct text user;
    struct text problem; /* the row has the code of an error alone */
};

static const struct field tag_changed_list[] = {
    FIELD_TEXT(struct tag_changed, user),
    FIELD_RAW(struct tag_changed, problem, .omit_absent = true),
    FIELD_END,
};

static const struct fields tag_changed_fields = FIELDS(tag_changed_list, struct tag_changed);

struct tags_changed {
    struct list results;
};

static const struct field tags_changed_fields[] = {
    FIELD_LIST(struct tags_changed, results, .of = &tag_changed_fields),
    FIELD_END,
};

static void check_tags(const struct op *op, const struct list *tags, size_t place, struct err *err)
{
    const struct text *names = tags->items;

    for (size_t i = 0; i < tags->n_items; i++)
        check_new_name(
            op, names[i], arena_printf(op->arena, "/changes/%zu/add/%zu", place, i), err);
}

/* What is to go may have any name. */
static int user_tag_change_check(struct op *op)
{
    struct user_tag_change *in = op->in;
    const struct tag_change *items = in->changes.items;

    for (size_t i = in->changes.n_items; i-- > 0;) {
        struct err err;
        err_init(&err, op->arena);
        check_tags(op, &items[i].add, list_place(&in->changes, i), &err);
        if (err.code != ERR_NONE)
            list_leave_out(&in->changes, i, sizeof(*items), &err);
    }
    return list_must_hold(&in->changes, op->err);
}

static int user_tag_change_run(struct op *op)
{
    if (store_call_rows(op) != 0)
        return -1;
    problem_tell(op, "changes", "user");
    return 0;
}

const struct operation user_tag_change = {
    .name = "user_tag_change",
    .lane = LANE_READER,
    .check = user_tag_change_check,
    .run = user_tag_change_run,
    .audit = true,
    .in = FIELDS(user_tag_change_fields, struct user_tag_change),
    .out = FIELDS(tags_changed_fields, struct tags_changed),
};

/* ---- user_token_make ---- */

#define TOKEN_BYTES 4096

struct user_token_make {
    struct text user;
    struct text device;
    int64_t expires_in_seconds;
};

static const struct field user_token_make_fields[] = {
    FIELD_USER(struct user_token_make),
    FIELD_TEXT(struct user_token_make, device, .min = 1, .max = DEVICE_ID_BYTES),
    FIELD_INT(
        struct user_token_make,
        expires_in_seconds,
        .min = 60,
        .max = 2592000,
        .fallback = 86400,
        .has_fallback = true,
        .not_column = true),
    FIELD_END,
};

struct user_token {
    struct text token;
    int64_t issued_at;
    int64_t expires_at;
};

static const struct field user_token_fields[] = {
    FIELD_TEXT(struct user_token, token, .not_column = true),
    FIELD_TIME(struct user_token, issued_at),
    FIELD_TIME(struct user_token, expires_at, .not_column = true),
    FIELD_END,
};

/* A token for a device that could never log in is good for nothing. */
static int user_token_make_check(struct op *op)
{
    const struct user_token_make *in = op->in;

    return text_present(in->device) ? check_new_name(op, in->device, "/device", op->err) : 0;
}

/* The database is asked whether there is such a user, and from when on the token counts. */
static int user_token_make_run(struct op *op)
{
    const struct services *services = op->services;
    const struct user_token_make *in = op->in;
    struct user_token *out = op->out;
    buf_auto token = BUF(TOKEN_BYTES);

    if (store_call_one(op) != 0)
        return -1;
    if (services->sign_user_token(
            services->signer, in->user, in->device, out->issued_at, in->expires_in_seconds, &token,
            &out->expires_at) != 0)
        return err_plain(op->err, ERR_SIGNING_KEY_MISSING);
    out->token = arena_text(op->arena, buf_as_text(&token));
    return 0;
}

const struct operation user_token_make = {
    .name = "user_token_make",
    .lane = LANE_READER,
    .check = user_token_make_check,
    .run = user_token_make_run,
    .audit = true,
    .in = FIELDS(user_token_make_fields, struct user_token_make),
    .out = FIELDS(user_token_fields, struct user_token),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_SIGNING_KEY_MISSING, ERR_NONE},
};
