/* What may be changed while the server runs, for all servers of a database at once. Every use of a
 * setting is in SQL and reads it anew. */
#include "base/op.h"
#include "store/store.h"

static const char *const messagings[] = {"anyone", "friends", NULL};
static const char *const session_policies[] = {"many", "one_per_platform", "one", NULL};

struct chat_settings {
    struct text if_match; /* of requests alone */
    struct text messaging;
    int64_t roaming_days;
    int64_t offline_days;
    int64_t offline_per_contact;
    int64_t recent_contacts;
    int64_t recall_seconds;
    int64_t friends_per_user;
    int64_t blocks_per_user;
    int64_t friend_request_days;
    struct text sessions;
    int64_t sessions_limit;
    struct list attributes;
    int64_t updated_at;
};

static const struct field settings_fields[] = {
    FIELD_TEXT(struct chat_settings, messaging, .one_of = messagings),
    FIELD_INT(struct chat_settings, roaming_days),
    FIELD_INT(struct chat_settings, offline_days),
    FIELD_INT(struct chat_settings, offline_per_contact),
    FIELD_INT(struct chat_settings, recent_contacts),
    FIELD_INT(struct chat_settings, recall_seconds),
    FIELD_INT(struct chat_settings, friends_per_user),
    FIELD_INT(struct chat_settings, blocks_per_user),
    FIELD_INT(struct chat_settings, friend_request_days),
    FIELD_TEXT(struct chat_settings, sessions, .one_of = session_policies),
    FIELD_INT(struct chat_settings, sessions_limit),
    FIELD_TEXTS(struct chat_settings, attributes),
    FIELD_TIME(struct chat_settings, updated_at),
    FIELD_END,
};

const struct operation settings_get = {
    .name = "settings_get",
    .lane = LANE_READER,
    .out = FIELDS(settings_fields, struct chat_settings),
};

/* ---- settings_patch ---- */

static const struct field settings_patch_fields[] = {
    FIELD_TEXT(
        struct chat_settings, if_match, .from = IN_HEADER, .header = "If-Match", .max = 1024),
    FIELD_TEXT(struct chat_settings, messaging, .one_of = messagings),
    FIELD_INT(struct chat_settings, roaming_days, .min = 1, .max = 7),
    FIELD_INT(struct chat_settings, offline_days, .min = 1, .max = 7),
    FIELD_INT(struct chat_settings, offline_per_contact, .min = 1, .max = 1000),
    FIELD_INT(struct chat_settings, recent_contacts, .min = 1, .max = 500),
    FIELD_INT(struct chat_settings, recall_seconds, .min = 0, .max = 604800),
    FIELD_INT(struct chat_settings, friends_per_user, .min = 1, .max = 10000),
    FIELD_INT(struct chat_settings, blocks_per_user, .min = 1, .max = 10000),
    FIELD_INT(struct chat_settings, friend_request_days, .min = 1, .max = 30),
    FIELD_TEXT(struct chat_settings, sessions, .one_of = session_policies),
    FIELD_INT(struct chat_settings, sessions_limit, .min = 1, .max = 100),
    FIELD_TEXTS(struct chat_settings, attributes, .max = 10, .max_value_bytes = 50),
    FIELD_END,
};

const struct operation settings_patch = {
    .name = "settings_patch",
    .lane = LANE_READER,
    .audit = true,
    .merge_patch = true,
    .in = FIELDS(settings_patch_fields, struct chat_settings),
    .out = FIELDS(settings_fields, struct chat_settings),
    .refuses =
        (const enum err_code[]){ERR_PRECONDITION_REQUIRED, ERR_PRECONDITION_FAILED, ERR_NONE},
};
