/* Users who ask others to be friends. */
#include "base/op.h"
#include "ops/friend.h"
#include "store/store.h"

#define REQUEST_TEXT_BYTES 1024

static const char *const directions[] = {"incoming", "outgoing", NULL};
static const char *const states[] = {"accepted", "pending", NULL};

/* ---- friend_request_make ---- */

struct friend_request_make {
    struct text user;
    struct text to;
    struct text text;
    struct text remark;
    struct text idempotency_key;
};

static const struct field friend_request_make_fields[] = {
    FIELD_USER(struct friend_request_make),
    FIELD_TEXT(struct friend_request_make, to, .required = true, .min = 1, .max = USER_ID_BYTES),
    FIELD_TEXT(struct friend_request_make, text, .max = REQUEST_TEXT_BYTES, .multiline = true),
    FIELD_TEXT(struct friend_request_make, remark, .max = FRIEND_REMARK_BYTES),
    FIELD_IDEMPOTENCY_KEY(struct friend_request_make),
    FIELD_END,
};

struct friend_request_made {
    struct text state;
    struct text peer;
    struct text text;
    struct text remark;
    int64_t created_at;
    int64_t expires_at;
};

static const struct field friend_request_made_fields[] = {
    FIELD_TEXT(struct friend_request_made, state, .one_of = states),
    FIELD_TEXT(struct friend_request_made, peer),
    FIELD_TEXT(struct friend_request_made, text),
    FIELD_TEXT(struct friend_request_made, remark),
    FIELD_TIME(struct friend_request_made, created_at),
    FIELD_TIME(struct friend_request_made, expires_at),
    FIELD_END,
};

static int friend_request_make_check(struct op *op)
{
    const struct friend_request_make *in = op->in;

    return check_two_users(op->err, in->user, in->to, "/to");
}

const struct operation friend_request_make = {
    .name = "friend_request_make",
    .lane = LANE_READER,
    .check = friend_request_make_check,
    .audit = true,
    .in = FIELDS(friend_request_make_fields, struct friend_request_make),
    .out = FIELDS(friend_request_made_fields, struct friend_request_made),
    .refuses =
        (const enum err_code[]){
            ERR_USER_UNKNOWN, ERR_BLOCKED_BY_RECIPIENT, ERR_FRIEND_POLICY_REFUSES,
            ERR_REQUESTS_FULL, ERR_FRIENDS_FULL, ERR_NONE},
    .location = "/v1/users/{user}/friend-requests/{peer}",
};

/* ---- friend_request_list ---- */

struct friend_request_list {
    struct text user;
    struct text direction;
    struct text cursor;
    int64_t limit;
};

static const struct field friend_request_list_fields[] = {
    FIELD_USER(struct friend_request_list),
    FIELD_TEXT(
        struct friend_request_list,
        direction,
        .from = IN_QUERY,
        .one_of = directions,
        .fallback_text = "incoming"),
    FIELD_CURSOR(struct friend_request_list),
    FIELD_LIMIT(struct friend_request_list),
    FIELD_END,
};

struct friend_request {
    struct text peer;
    struct profile peer_profile;
    struct text direction;
    struct text text;
    struct text remark;
    int64_t created_at;
    int64_t expires_at;
};

static const struct field friend_request_list_of_fields[] = {
    FIELD_TEXT(struct friend_request, peer),
    FIELD_OBJECT(struct friend_request, peer_profile, struct profile, .of = &profile_fields),
    FIELD_TEXT(struct friend_request, direction, .one_of = directions),
    FIELD_TEXT(struct friend_request, text),
    FIELD_TEXT(struct friend_request, remark),
    FIELD_TIME(struct friend_request, created_at),
    FIELD_TIME(struct friend_request, expires_at),
    FIELD_END,
};

static const struct fields friend_request_fields =
    FIELDS(friend_request_list_of_fields, struct friend_request);

struct friend_request_page {
    struct list items;
    struct text next_cursor;
};

static const struct field friend_request_page_fields[] = {
    FIELD_LIST(struct friend_request_page, items, .of = &friend_request_fields),
    FIELD_NEXT_CURSOR(struct friend_request_page),
    FIELD_END,
};

const struct operation friend_request_list = {
    .name = "friend_request_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(friend_request_list_fields, struct friend_request_list),
    .out = FIELDS(friend_request_page_fields, struct friend_request_page),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_CURSOR_INVALID, ERR_NONE},
};

/* ---- friend_request_accept ---- */

struct friend_request_answer {
    struct text user;
    struct text peer;
    struct text idempotency_key;
};

static const struct field friend_request_answer_fields[] = {
    FIELD_USER(struct friend_request_answer),
    FIELD_PEER(struct friend_request_answer),
    FIELD_IDEMPOTENCY_KEY(struct friend_request_answer),
    FIELD_END,
};

const struct operation friend_request_accept = {
    .name = "friend_request_accept",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(friend_request_answer_fields, struct friend_request_answer),
    .out = FIELDS(friend_list_of_fields, struct friend),
    .refuses =
        (const enum err_code[]){
            ERR_USER_UNKNOWN, ERR_FRIEND_REQUEST_UNKNOWN, ERR_FRIENDS_FULL, ERR_NONE},
};

/* ---- friend_request_reject ---- */

const struct operation friend_request_reject = {
    .name = "friend_request_reject",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(friend_request_answer_fields, struct friend_request_answer),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_FRIEND_REQUEST_UNKNOWN, ERR_NONE},
};

/* ---- friend_request_delete ---- */

const struct operation friend_request_delete = {
    .name = "friend_request_delete",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(user_pair_fields, struct user_pair),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};
