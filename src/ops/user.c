#include "ops/user.h"

#include "base/clock.h"
#include "base/op.h"

static const struct field profile_list[] = {
    FIELD_TEXT(struct profile, nick),
    FIELD_TEXT(struct profile, avatar_url),
    FIELD_END,
};

const struct fields profile_fields = FIELDS(profile_list, struct profile);

static const char *const genders[] = {"unknown", "male", "female", NULL};
static const char *const friend_policies[] = {"anyone", "approval", "nobody", NULL};

/* ---- the user, as every call shows it ---- */

struct user {
    struct text id;
    struct text nick;
    struct text avatar_url;
    struct text gender;
    struct text birthday;
    struct text language;
    struct text location;
    struct text signature;
    int64_t level;
    json_t *custom;
    struct text friend_policy;
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
    FIELD_TIME(struct user, created_at),
    FIELD_TIME(struct user, updated_at),
    FIELD_END,
};

/* ---- user_put ---- */

struct user_put {
    struct text user;
    struct text nick;
    struct text avatar_url;
    struct text gender;
    struct text birthday;
    struct text language;
    struct text location;
    struct text signature;
    int64_t level;
    json_t *custom;
    struct text friend_policy;
};

static const struct field user_put_fields[] = {
    FIELD_TEXT(
        struct user_put, user, .from = IN_PATH, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_TEXT(struct user_put, nick, .max = 256),
    FIELD_TEXT(struct user_put, avatar_url, .max = 1024),
    FIELD_TEXT(struct user_put, gender, .one_of = genders, .fallback_text = "unknown"),
    FIELD_TEXT(struct user_put, birthday, .min = 10, .max = 10),
    FIELD_TEXT(struct user_put, language, .max = 35),
    FIELD_TEXT(struct user_put, location, .max = 256),
    FIELD_TEXT(struct user_put, signature, .max = 1024, .multiline = true),
    FIELD_INT(struct user_put, level, .max = INT32_MAX, .has_fallback = true),
    FIELD_MAP(struct user_put, custom, .max = 64, .max_value_bytes = 1024),
    FIELD_TEXT(
        struct user_put, friend_policy, .one_of = friend_policies, .fallback_text = "anyone"),
    FIELD_END,
};

static int user_put_check(struct op *op)
{
    const struct user_put *in = op->in;

    if (text_present(in->birthday) && !clock_is_day(in->birthday))
        return err_field(
            op->err, ERR_INVALID_REQUEST, "/birthday", "must be a day such as 1990-05-17");
    return 0;
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
    FIELD_TEXT(
        struct user_get, user, .from = IN_PATH, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_END,
};

const struct operation user_get = {
    .name = "user_get",
    .lane = LANE_READER,
    .in = FIELDS(user_get_fields, struct user_get),
    .out = FIELDS(user_fields, struct user),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};
