/* The devices of a user, and whether a user can be reached. */
#include "base/op.h"
#include "ops/user.h"
#include "store/store.h"

#define PRESENCES_MAX 500

static const char *const platforms[] = {"ios",   "ipad", "android", "windows", "mac",
                                        "linux", "web",  "other",   NULL};
static const char *const vendors[] = {"apple", "google", "huawei", "xiaomi",
                                      "oppo",  "vivo",   "meizu",  NULL};
static const char *const device_states[] = {"online", "push", "offline", "kicked", NULL};
static const char *const user_states[] = {"online", "push", "offline", NULL};
static const char *const result_states[] = {"online", "push", "offline", "unknown", NULL};

#define FIELD_DEVICE(type)                                                                         \
    FIELD_TEXT(type, device, .from = IN_PATH, .required = true, .min = 1, .max = DEVICE_ID_BYTES)

struct device {
    struct text device;
    struct text platform;
    struct text state;
    struct text push_vendor;
    int64_t position;
    int64_t created_at;
    int64_t logged_in_at;
    int64_t last_seen_at;
};

static const struct field device_fields_list[] = {
    FIELD_TEXT(struct device, device),
    FIELD_TEXT(struct device, platform, .one_of = platforms),
    FIELD_TEXT(struct device, state, .one_of = device_states),
    FIELD_TEXT(struct device, push_vendor, .one_of = vendors),
    FIELD_INT(struct device, position),
    FIELD_TIME(struct device, created_at),
    FIELD_TIME(struct device, logged_in_at),
    FIELD_TIME(struct device, last_seen_at),
    FIELD_END,
};

static const struct fields device_fields = FIELDS(device_fields_list, struct device);

/* ---- device_put ---- */

struct device_push {
    struct text vendor;
    struct text token;
};

static const struct field device_push_list[] = {
    FIELD_TEXT(struct device_push, vendor, .required = true, .one_of = vendors),
    FIELD_TEXT(struct device_push, token, .required = true, .min = 1, .max = 1024),
    FIELD_END,
};

static const struct fields device_push_fields = FIELDS(device_push_list, struct device_push);

struct device_put {
    struct text user;
    struct text device;
    struct text platform;
    struct device_push push;
    struct text as_user;
    struct text as_device;
    int64_t issued_at;
};

static const struct field device_put_fields[] = {
    FIELD_USER(struct device_put),
    FIELD_DEVICE(struct device_put),
    FIELD_TEXT(struct device_put, platform, .required = true, .one_of = platforms),
    FIELD_OBJECT(struct device_put, push, struct device_push, .of = &device_push_fields),
    FIELDS_OF_SESSION(struct device_put),
    FIELD_END,
};

const struct operation device_put = {
    .name = "device_put",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(device_put_fields, struct device_put),
    .out = FIELDS(device_fields_list, struct device),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_DEVICES_FULL, ERR_NONE},
    .location = "/v1/users/{user}/devices/{device}",
};

/* ---- device_get, device_list ---- */

struct device_get {
    struct text user;
    struct text device;
};

static const struct field device_get_fields[] = {
    FIELD_USER(struct device_get),
    FIELD_DEVICE(struct device_get),
    FIELD_END,
};

const struct operation device_get = {
    .name = "device_get",
    .lane = LANE_READER,
    .in = FIELDS(device_get_fields, struct device_get),
    .out = FIELDS(device_fields_list, struct device),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_DEVICE_UNKNOWN, ERR_NONE},
};

struct device_list {
    struct text user;
};

static const struct field device_list_fields[] = {
    FIELD_USER(struct device_list),
    FIELD_END,
};

struct devices {
    struct list items;
};

static const struct field devices_fields[] = {
    FIELD_LIST(struct devices, items, .of = &device_fields),
    FIELD_END,
};

const struct operation device_list = {
    .name = "device_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(device_list_fields, struct device_list),
    .out = FIELDS(devices_fields, struct devices),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- device_delete ---- */

struct device_delete {
    struct text user;
    struct text device;
    struct text as_user;
    struct text as_device;
    int64_t issued_at;
};

static const struct field device_delete_fields[] = {
    FIELD_USER(struct device_delete),
    FIELD_DEVICE(struct device_delete),
    FIELDS_OF_SESSION(struct device_delete),
    FIELD_END,
};

const struct operation device_delete = {
    .name = "device_delete",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(device_delete_fields, struct device_delete),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- position_put ---- */

struct position_put {
    struct text user;
    struct text device;
    int64_t seq;
    struct text as_user;
    struct text as_device;
    int64_t issued_at;
};

static const struct field position_put_fields[] = {
    FIELD_USER(struct position_put),
    FIELD_DEVICE(struct position_put),
    FIELD_INT(struct position_put, seq, .required = true, .min = 0, .max = INT64_MAX),
    FIELDS_OF_SESSION(struct position_put),
    FIELD_END,
};

struct position {
    int64_t seq;
};

static const struct field position_fields[] = {
    FIELD_INT(struct position, seq),
    FIELD_END,
};

const struct operation position_put = {
    .name = "position_put",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(position_put_fields, struct position_put),
    .out = FIELDS(position_fields, struct position),
    .invalid = "is beyond the last entry of the mailbox",
    .refuses =
        (const enum err_code[]){ERR_USER_UNKNOWN, ERR_DEVICE_UNKNOWN, ERR_DEVICE_KICKED, ERR_NONE},
};

/* ---- user_kick ---- */

struct user_kick {
    struct text user;
    struct text device;
    struct text platform;
    struct text idempotency_key;
};

static const struct field user_kick_fields[] = {
    FIELD_USER(struct user_kick),
    FIELD_TEXT(struct user_kick, device, .min = 1, .max = DEVICE_ID_BYTES),
    FIELD_TEXT(struct user_kick, platform, .one_of = platforms),
    FIELD_IDEMPOTENCY_KEY(struct user_kick),
    FIELD_END,
};

struct kicked {
    int64_t kicked;
};

static const struct field kicked_fields[] = {
    FIELD_INT(struct kicked, kicked),
    FIELD_END,
};

const struct operation user_kick = {
    .name = "user_kick",
    .lane = LANE_READER,
    .audit = true,
    .in = FIELDS(user_kick_fields, struct user_kick),
    .out = FIELDS(kicked_fields, struct kicked),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_DEVICE_UNKNOWN, ERR_NONE},
};

/* ---- presence_get ---- */

struct presence_device {
    struct text device;
    struct text platform;
    struct text state;
    int64_t last_seen_at;
};

static const struct field presence_device_list[] = {
    FIELD_TEXT(struct presence_device, device),
    FIELD_TEXT(struct presence_device, platform, .one_of = platforms),
    FIELD_TEXT(struct presence_device, state, .column = "device_state", .one_of = device_states),
    FIELD_TIME(struct presence_device, last_seen_at, .column = "device_last_seen_at"),
    FIELD_END,
};

static const struct fields presence_device_fields =
    FIELDS(presence_device_list, struct presence_device);

struct presence {
    struct text user;
    struct text state;
    int64_t last_seen_at;
    struct list devices;
};

static const struct field presence_fields[] = {
    FIELD_TEXT(struct presence, user),
    FIELD_TEXT(struct presence, state, .one_of = user_states),
    FIELD_TIME(struct presence, last_seen_at),
    FIELD_LIST(struct presence, devices, .of = &presence_device_fields),
    FIELD_END,
};

const struct operation presence_get = {
    .name = "presence_get",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(device_list_fields, struct device_list),
    .out = FIELDS(presence_fields, struct presence),
    .refuses = (const enum err_code[]){ERR_USER_UNKNOWN, ERR_NONE},
};

/* ---- presence_list: of many users ---- */

struct presence_list {
    struct list users;
};

static const struct field presence_list_fields[] = {
    FIELD_TEXTS(
        struct presence_list,
        users,
        .required = true,
        .min = 1,
        .max = PRESENCES_MAX,
        .max_value_bytes = USER_ID_BYTES),
    FIELD_END,
};

struct presence_result {
    struct text user;
    struct text state;
    int64_t last_seen_at;
};

static const struct field presence_result_list[] = {
    FIELD_TEXT(struct presence_result, user),
    FIELD_TEXT(struct presence_result, state, .one_of = result_states),
    FIELD_TIME(struct presence_result, last_seen_at),
    FIELD_END,
};

static const struct fields presence_result_fields =
    FIELDS(presence_result_list, struct presence_result);

struct presences {
    struct list items;
};

static const struct field presences_fields[] = {
    FIELD_LIST(struct presences, items, .of = &presence_result_fields),
    FIELD_END,
};

const struct operation presence_list = {
    .name = "presence_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(presence_list_fields, struct presence_list),
    .out = FIELDS(presences_fields, struct presences),
};
