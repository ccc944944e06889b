#include "http/v4/elements.h"

#include <string.h>

#include "base/json.h"

#define KIND_MAX INT32_MAX
#define MIB (INT64_C(1024) * 1024)
#define URL_BYTES 2048
#define LONG_BYTES 12288
#define SHORT_BYTES 32
#define NAME_BYTES 256

/* A member of both faces. What is beyond `max` has no place in /v1. */
struct member {
    const char *outer; /* in /v4 */
    const char *inner; /* in /v1 */
    enum v4_kind kind; /* TEXT, INT or NUMBER */
    bool required;     /* in /v4 */
    int64_t max;       /* TEXT: bytes; INT: value */
};

struct element_type {
    const char *outer;
    const char *inner;
    const struct member *members;
};

static const struct member text_members[] = {
    {"Text", "text", V4_TEXT, true, LONG_BYTES},
    {.outer = NULL},
};

static const struct member face_members[] = {
    {"Index", "index", V4_INT, true, KIND_MAX},
    {"Data", "data", V4_TEXT, false, LONG_BYTES},
    {.outer = NULL},
};

static const struct member location_members[] = {
    {"Desc", "description", V4_TEXT, true, LONG_BYTES},
    {"Latitude", "latitude", V4_NUMBER, true, 0},
    {"Longitude", "longitude", V4_NUMBER, true, 0},
    {.outer = NULL},
};

static const struct member custom_members[] = {
    {"Data", "data", V4_TEXT, false, LONG_BYTES},
    {"Desc", "description", V4_TEXT, false, LONG_BYTES},
    {"Ext", "extension", V4_TEXT, false, LONG_BYTES},
    {"Sound", "sound", V4_TEXT, false, NAME_BYTES},
    {.outer = NULL},
};

static const struct member sound_members[] = {
    {"Url", "url", V4_TEXT, false, URL_BYTES},
    {"Size", "size", V4_INT, false, 28 * MIB},
    {"Second", "duration_seconds", V4_INT, false, KIND_MAX},
    {.outer = NULL},
};

static const struct member file_members[] = {
    {"Url", "url", V4_TEXT, false, URL_BYTES},
    {"FileSize", "size", V4_INT, false, 100 * MIB},
    {"FileName", "name", V4_TEXT, false, NAME_BYTES},
    {.outer = NULL},
};

static const struct member video_members[] = {
    {"VideoUrl", "url", V4_TEXT, false, URL_BYTES},
    {"VideoSize", "size", V4_INT, false, 100 * MIB},
    {"VideoSecond", "duration_seconds", V4_INT, false, KIND_MAX},
    {"VideoFormat", "format", V4_TEXT, false, SHORT_BYTES},
    {"ThumbUrl", "cover_url", V4_TEXT, false, URL_BYTES},
    {.outer = NULL},
};

static const struct member image_members[] = {
    {"UUID", NULL, V4_TEXT, false, 0},
    {"ImageFormat", NULL, V4_INT, false, 0},
    {.outer = NULL},
};

static const struct member picture_members[] = {
    {"URL", "url", V4_TEXT, false, URL_BYTES},
    {"Size", "size", V4_INT, false, 28 * MIB},
    {"Width", "width", V4_INT, false, KIND_MAX},
    {"Height", "height", V4_INT, false, KIND_MAX},
    {.outer = NULL},
};

static const struct element_type types[] = {
    {"TIMTextElem", "text", text_members},
    {"TIMFaceElem", "emoji", face_members},
    {"TIMLocationElem", "location", location_members},
    {"TIMCustomElem", "custom", custom_members},
    {"TIMSoundElem", "audio", sound_members},
    {"TIMFileElem", "file", file_members},
    {"TIMVideoFileElem", "video", video_members},
    {"TIMImageElem", "image", image_members},
    {NULL, NULL, NULL},
};

static const struct {
    int64_t number;
    const char *format;
} image_formats[] = {{1, "jpg"}, {2, "gif"}, {3, "png"}, {4, "bmp"}, {255, ""}};
#define IMAGE_FORMATS (sizeof(image_formats) / sizeof(image_formats[0]))

/* ---- from /v4 ---- */

static bool has_kind(enum v4_kind kind, const json_t *value)
{
    return kind == V4_TEXT  ? json_is_string(value)
           : kind == V4_INT ? json_is_integer(value)
                            : json_is_number(value);
}

static bool has_place(const struct member *member, const json_t *value)
{
    if (member->kind == V4_TEXT)
        return (int64_t)json_string_length(value) <= member->max;
    return member->kind == V4_NUMBER ||
           (json_integer_value(value) >= 0 && json_integer_value(value) <= member->max);
}

/* False when a member is missing or of the wrong kind. What is required must have a place. */
static bool move_in(const struct member *members, const json_t *content, json_t *element)
{
    for (const struct member *m = members; m->outer; m++) {
        json_t *value = json_object_get(content, m->outer);
        if (!value || json_is_null(value)) {
            if (m->required)
                return false;
            continue;
        }
        if (!has_kind(m->kind, value))
            return false;
        if (m->inner && has_place(m, value))
            json_object_set(element, m->inner, value);
        else if (m->required)
            return false;
    }
    return true;
}

static bool is_picture(const json_t *picture, int64_t type)
{
    return json_is_object(picture) &&
           (!type || json_integer_value(json_object_get(picture, "Type")) == type);
}

static const json_t *find_picture(const json_t *pictures, int64_t type)
{
    const json_t *picture;
    size_t i;

    json_array_foreach(pictures, i, picture)
        if (is_picture(picture, type))
            return picture;
    return NULL;
}

/* The original stands for the image, else the first picture there is. */
static bool move_pictures_in(const json_t *content, json_t *element)
{
    const json_t *pictures = json_object_get(content, "ImageInfoArray");
    const json_t *main = find_picture(pictures, 1);
    const json_t *thumbnail = find_picture(pictures, 3);
    int64_t format = json_integer_value(json_object_get(content, "ImageFormat"));

    if (!main)
        main = find_picture(pictures, 0);
    if (!main || !move_in(picture_members, main, element))
        return false;
    for (size_t i = 0; i < IMAGE_FORMATS; i++)
        if (image_formats[i].number == format && image_formats[i].format[0])
            json_object_set_new(element, "format", json_string(image_formats[i].format));
    struct text url = v4_text_in(thumbnail, "URL");
    if (text_present(url) && url.len <= URL_BYTES)
        json_object_set_new(element, "thumbnail_url", v4_json_text(url));
    return true;
}

static bool needs_url(const struct element_type *type)
{
    return type->members == sound_members || type->members == file_members ||
           type->members == video_members || type->members == image_members;
}

/* Files of old clients have a name in place of an address. */
static bool give_url(const struct element_type *type, const json_t *content, json_t *element)
{
    struct text name = v4_text_in(content, type->members == video_members ? "VideoUUID" : "UUID");

    if (text_present(v4_text_in(element, "url")))
        return true;
    if (!text_present(name) || name.len > NAME_BYTES)
        return false;
    json_object_set_new(element, "url", json_sprintf("uuid:%.*s", TEXT_ARG(name)));
    return true;
}

static json_t *content_out(const struct element_type *type, const json_t *element);

/* A new reference; NULL when the content is not what the type asks for. */
static json_t *element_in(const struct element_type *type, const json_t *content)
{
    json_t *element = json_pack("{s:s}", "type", type->inner);
    bool good = move_in(type->members, content, element);

    if (good && type->members == image_members)
        good = move_pictures_in(content, element);
    if (good && needs_url(type))
        good = give_url(type, content, element);
    if (good && type->members == custom_members && !json_object_get(element, "data"))
        json_object_set_new(element, "data", json_string(""));
    if (!good) {
        json_decref(element);
        return NULL;
    }
    /* Most are one text. */
    if (type->members == text_members && json_object_size(content) == 1)
        return element;
    json_t *back = content_out(type, element);
    if (!json_equal(back, content))
        json_object_set(element, "original", (json_t *)content);
    json_decref(back);
    return element;
}

static const struct element_type *find_type(const json_t *outer)
{
    const char *name = json_string_value(json_object_get(outer, "MsgType"));

    for (const struct element_type *type = types; name && type->outer; type++)
        if (strcmp(type->outer, name) == 0)
            return type;
    return NULL;
}

int v4_long_number(const struct v4_call *c)
{
    return strcmp(c->command->name, "batchsendmsg") == 0 ? 90055 : 93000;
}

static json_t *fail(struct v4_call *c, json_t *elements, int number, const char *why)
{
    json_decref(elements);
    v4_fail(c, number, "%s", why);
    return NULL;
}

json_t *v4_elements_in(struct v4_call *c, const json_t *msg_body)
{
    const json_t *outer;
    size_t i, n_custom = 0;
    buf_auto text = BUF(LONG_BYTES);

    if (json_array_size(msg_body) == 0)
        return fail(c, NULL, 90002, "MsgBody has no element");
    json_write_tree(&text, msg_body);
    if (text.failed)
        return fail(c, NULL, v4_long_number(c), "the message is too long");
    json_t *elements = json_array();
    json_array_foreach(msg_body, i, outer) {
        const struct element_type *type = find_type(outer);
        const json_t *content = json_object_get(outer, "MsgContent");
        if (!type || !json_is_object(content))
            return fail(
                c, elements, 90010, "an element of MsgBody has no known type, or no content");
        n_custom += type->members == custom_members;
        json_t *element = element_in(type, content);
        if (!element)
            return fail(c, elements, 90010, "an element of MsgBody is not as its type asks");
        json_array_append_new(elements, element);
    }
    if (n_custom > 1)
        return fail(c, elements, 90010, "MsgBody has more than one TIMCustomElem");
    return elements;
}

/* ---- to /v4 ---- */

static void move_out(const struct member *members, const json_t *element, json_t *content)
{
    for (const struct member *m = members; m->outer; m++) {
        json_t *value = m->inner ? json_object_get(element, m->inner) : NULL;
        if (value)
            json_object_set(content, m->outer, value);
    }
}

static json_t *picture_out(const json_t *element, int type, const char *url)
{
    return json_pack(
        "{s:i, s:I, s:I, s:I, s:s}", "Type", type, "Size",
        json_integer_value(json_object_get(element, "size")), "Width",
        json_integer_value(json_object_get(element, "width")), "Height",
        json_integer_value(json_object_get(element, "height")), "URL", url);
}

static void image_out(const json_t *element, json_t *content)
{
    json_t *pictures = json_array();
    const char *format = json_string_value(json_object_get(element, "format"));
    const char *url = json_string_value(json_object_get(element, "url"));
    const char *thumbnail = json_string_value(json_object_get(element, "thumbnail_url"));
    int64_t number = 255;

    for (size_t i = 0; format && i < IMAGE_FORMATS; i++)
        if (strcmp(image_formats[i].format, format) == 0)
            number = image_formats[i].number;
    if (url)
        json_array_append_new(pictures, picture_out(element, 1, url));
    if (thumbnail)
        json_array_append_new(pictures, picture_out(NULL, 3, thumbnail));
    json_object_set_new(content, "UUID", json_string(""));
    json_object_set_new(content, "ImageFormat", json_integer(number));
    json_object_set_new(content, "ImageInfoArray", pictures);
}

static void set_default(json_t *content, const char *name, json_t *takes)
{
    if (json_object_get(content, name))
        json_decref(takes);
    else
        json_object_set_new(content, name, takes);
}

/* What each reader of /v4 expects to be there. */
static void complete(const struct element_type *type, json_t *content)
{
    if (type->members == location_members)
        set_default(content, "Desc", json_string(""));
    if (type->members == sound_members || type->members == file_members) {
        set_default(content, "UUID", json_string(""));
        set_default(content, "Download_Flag", json_integer(2));
    }
    if (type->members == sound_members) {
        set_default(content, "Size", json_integer(0));
        set_default(content, "Second", json_integer(0));
    }
    if (type->members == file_members) {
        set_default(content, "FileSize", json_integer(0));
        set_default(content, "FileName", json_string(""));
    }
    if (type->members != video_members)
        return;
    static const char *const texts[] = {"VideoUUID", "VideoFormat", "ThumbUUID",
                                        "ThumbUrl",  "ThumbFormat", NULL};
    static const char *const numbers[] = {"VideoSize",  "VideoSecond", "ThumbSize",
                                          "ThumbWidth", "ThumbHeight", NULL};
    for (const char *const *name = texts; *name; name++)
        set_default(content, *name, json_string(""));
    for (const char *const *name = numbers; *name; name++)
        set_default(content, *name, json_integer(0));
    set_default(content, "VideoDownloadFlag", json_integer(2));
    set_default(content, "ThumbDownloadFlag", json_integer(2));
}

static json_t *content_out(const struct element_type *type, const json_t *element)
{
    json_t *content = json_object();

    move_out(type->members, element, content);
    if (type->members == image_members)
        image_out(element, content);
    complete(type, content);
    return content;
}

static json_t *element_out(const json_t *element)
{
    const char *inner = json_string_value(json_object_get(element, "type"));
    json_t *original = json_object_get(element, "original");

    for (const struct element_type *type = types; inner && type->inner; type++)
        if (strcmp(type->inner, inner) == 0)
            return json_pack(
                "{s:s, s:o}", "MsgType", type->outer, "MsgContent",
                original ? json_incref(original) : content_out(type, element));
    return NULL;
}

json_t *v4_elements_out(const json_t *elements)
{
    json_t *msg_body = json_array();
    const json_t *element;
    size_t i;

    json_array_foreach(elements, i, element)
        json_array_append_new(msg_body, element_out(element));
    return msg_body;
}

/* ---- push ---- */

json_t *v4_push_in(const json_t *info)
{
    if (!json_is_object(info) || json_object_size(info) == 0)
        return NULL;
    json_t *push = json_pack("{s:O}", "vendor", (json_t *)info);
    static const char *const names[][2] = {
        {"Title", "title"}, {"Desc", "body"}, {"Ext", "extension"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct text value = v4_text_in(info, names[i][0]);
        if (text_present(value))
            json_object_set_new(push, names[i][1], v4_json_text(value));
    }
    return push;
}
