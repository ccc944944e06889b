#include "ops/elements.h"

#include "ops/message.h"

#define MIB (INT64_C(1024) * 1024)
#define URL_BYTES 2048
#define NAME_BYTES 256

#define TEXT_MEMBER(member, ...) FIELD_CHECKED(member, FIELD_KIND_TEXT, __VA_ARGS__)
#define INT_MEMBER(member, ...) FIELD_CHECKED(member, FIELD_KIND_INT, __VA_ARGS__)
/* The element as a /v4 client sent it, where it says more than has a place here. */
#define ORIGINAL_MEMBER FIELD_CHECKED("original", FIELD_KIND_JSON, .from = IN_INNER)
#define URL_MEMBER(member, ...) TEXT_MEMBER(member, .max = URL_BYTES, __VA_ARGS__)

static const struct field text_fields[] = {
    TEXT_MEMBER(
        "text", .required = true, .min = 1, .max = MESSAGE_ELEMENTS_BYTES, .multiline = true),
    ORIGINAL_MEMBER,
    FIELD_END,
};

static const struct field emoji_fields[] = {
    INT_MEMBER("index", .required = true, .max = INT32_MAX),
    TEXT_MEMBER("data", .max = MESSAGE_ELEMENTS_BYTES, .multiline = true),
    ORIGINAL_MEMBER,
    FIELD_END,
};

static const struct field location_fields[] = {
    TEXT_MEMBER("description", .max = MESSAGE_ELEMENTS_BYTES, .multiline = true),
    FIELD_CHECKED("latitude", FIELD_KIND_REAL, .required = true, .min_real = -90, .max_real = 90),
    FIELD_CHECKED(
        "longitude", FIELD_KIND_REAL, .required = true, .min_real = -180, .max_real = 180),
    ORIGINAL_MEMBER,
    FIELD_END,
};

static const struct field image_fields[] = {
    URL_MEMBER("url", .required = true, .min = 1),
    INT_MEMBER("width", .max = INT32_MAX),
    INT_MEMBER("height", .max = INT32_MAX),
    INT_MEMBER("size", .max = 28 * MIB),
    TEXT_MEMBER("format", .max = 32),
    URL_MEMBER("thumbnail_url", .min = 1),
    ORIGINAL_MEMBER,
    FIELD_END,
};

static const struct field audio_fields[] = {
    URL_MEMBER("url", .required = true, .min = 1),
    INT_MEMBER("size", .max = 28 * MIB),
    INT_MEMBER("duration_seconds", .max = INT32_MAX),
    ORIGINAL_MEMBER,
    FIELD_END,
};

static const struct field file_fields[] = {
    URL_MEMBER("url", .required = true, .min = 1),
    INT_MEMBER("size", .max = 100 * MIB),
    TEXT_MEMBER("name", .max = NAME_BYTES),
    TEXT_MEMBER("format", .max = 32),
    ORIGINAL_MEMBER,
    FIELD_END,
};

static const struct field video_fields[] = {
    URL_MEMBER("url", .required = true, .min = 1),
    INT_MEMBER("size", .max = 100 * MIB),
    INT_MEMBER("duration_seconds", .max = INT32_MAX),
    TEXT_MEMBER("format", .max = 32),
    URL_MEMBER("cover_url", .min = 1),
    ORIGINAL_MEMBER,
    FIELD_END,
};

static const struct field custom_fields[] = {
    TEXT_MEMBER("data", .required = true, .max = MESSAGE_ELEMENTS_BYTES, .multiline = true),
    TEXT_MEMBER("description", .max = MESSAGE_ELEMENTS_BYTES, .multiline = true),
    TEXT_MEMBER("extension", .max = MESSAGE_ELEMENTS_BYTES, .multiline = true),
    TEXT_MEMBER("sound", .max = NAME_BYTES),
    ORIGINAL_MEMBER,
    FIELD_END,
};

const struct variant element_types[] = {
    {"text", {text_fields, 0}},
    {"emoji", {emoji_fields, 0}},
    {"location", {location_fields, 0}},
    {"image", {image_fields, 0}},
    {"audio", {audio_fields, 0}},
    {"file", {file_fields, 0}},
    {"video", {video_fields, 0}},
    {"custom", {custom_fields, 0}},
    {NULL, {NULL, 0}},
};
