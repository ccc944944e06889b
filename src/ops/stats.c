/* How much there is, and how busy it is. */
#include "base/op.h"
#include "store/store.h"

struct stats_hour {
    struct text hour;
    int64_t messages;
};

static const struct field stats_hour_list[] = {
    FIELD_TEXT(struct stats_hour, hour),
    FIELD_INT(struct stats_hour, messages),
    FIELD_END,
};

static const struct fields stats_hour_fields = FIELDS(stats_hour_list, struct stats_hour);

struct stats {
    int64_t at;
    int64_t users;
    int64_t devices;
    int64_t users_online;
    int64_t streams;
    int64_t visible_since;
    int64_t database_bytes;
    struct text messages_by_day; /* JSON */
    struct list messages_by_hour;
};

static const struct field stats_fields[] = {
    FIELD_TIME(struct stats, at),
    FIELD_INT(struct stats, users),
    FIELD_INT(struct stats, devices),
    FIELD_INT(struct stats, users_online),
    FIELD_INT(struct stats, streams),
    FIELD_TIME(struct stats, visible_since),
    FIELD_INT(struct stats, database_bytes),
    FIELD_RAW(struct stats, messages_by_day),
    FIELD_LIST(struct stats, messages_by_hour, .of = &stats_hour_fields),
    FIELD_END,
};

const struct operation stats_get = {
    .name = "stats_get",
    .lane = LANE_READER,
    .run = store_call_rows,
    .out = FIELDS(stats_fields, struct stats),
};
