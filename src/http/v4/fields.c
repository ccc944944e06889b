/* Requests of /v4, by tables: what is missing or of the wrong kind has its number. */
#include <inttypes.h>

#include "base/text.h"
#include "http/v4/call.h"

const struct v4_field v4_nothing[] = {V4_LAST};

struct text v4_text_of(const json_t *json)
{
    return json_is_string(json) ? (struct text){json_string_value(json), json_string_length(json)}
                                : TEXT_ABSENT;
}

json_t *v4_json_text(struct text t)
{
    return text_present(t) ? json_stringn(t.ptr, t.len) : json_null();
}

bool v4_is_user(struct text name)
{
    return name.len > 0 && name.len <= V4_USER_BYTES && !text_has_control(name);
}

static const json_t *present(const json_t *value)
{
    return json_is_null(value) ? NULL : value;
}

const json_t *v4_member(const json_t *object, const struct v4_field *field)
{
    const json_t *value = present(json_object_get(object, field->name));

    return !value && field->also ? present(json_object_get(object, field->also)) : value;
}

/* ---- checking ---- */

/* What SDKs write where they have nothing to say. */
static bool says_nothing(const struct v4_field *field, const json_t *value)
{
    bool holds_members = field->kind == V4_OBJECT || field->kind == V4_MAP;

    return !value ||
           (field->kind != V4_TEXT && json_is_string(value) && !json_string_length(value)) ||
           (holds_members && json_is_array(value) && json_array_size(value) == 0);
}

static bool is_digits(const json_t *value)
{
    int64_t number;

    return json_is_string(value) && text_to_i64(v4_text_of(value), &number);
}

static bool is_array_of(const json_t *value, bool (*is)(const json_t *))
{
    const json_t *member;
    size_t i;

    if (!json_is_array(value))
        return false;
    json_array_foreach(value, i, member)
        if (!is(member))
            return false;
    return true;
}

static bool is_good_text(const json_t *value)
{
    struct text t = v4_text_of(value);

    return text_present(t) && !memchr(t.ptr, '\0', t.len);
}

static bool is_object(const json_t *value)
{
    return json_is_object(value);
}

static bool has_kind(const struct v4_field *field, const json_t *value)
{
    switch (field->kind) {
    case V4_TEXT:
        return is_good_text(value);
    case V4_INT:
        return json_is_integer(value) || (field->text_too && is_digits(value));
    case V4_NUMBER:
        return json_is_number(value);
    case V4_TEXTS:
        return is_array_of(value, is_good_text);
    case V4_OBJECT:
    case V4_MAP:
        return json_is_object(value);
    case V4_LIST:
        return is_array_of(value, is_object);
    case V4_BODY:
        return json_is_array(value);
    case V4_ANY:
    case V4_END:
        return true;
    }
    return false;
}

static int64_t as_int(const json_t *value)
{
    int64_t number = json_integer_value(value);

    if (json_is_string(value))
        text_to_i64(v4_text_of(value), &number);
    return number;
}

static bool is_within(const struct v4_field *field, const json_t *value)
{
    int64_t size = 0;

    if (field->kind == V4_INT)
        size = as_int(value);
    else if (field->kind == V4_TEXT)
        size = (int64_t)json_string_length(value);
    else if (field->kind == V4_TEXTS || field->kind == V4_LIST)
        size = (int64_t)json_array_size(value);
    else
        return true;
    return size >= field->min && (!field->max || size <= field->max);
}

static bool check_members(
    struct v4_call *c, const struct v4_field *fields, const json_t *value, const char *within);

static bool check_one(struct v4_call *c, const struct v4_field *field, const json_t *value)
{
    const json_t *member;
    size_t i;

    if (!has_kind(field, value)) {
        v4_fail(c, field->code, "%s is of the wrong kind", field->name);
        return false;
    }
    if (!is_within(field, value)) {
        v4_fail(
            c, field->limit_code ? field->limit_code : field->code,
            "%s must be from %" PRId64 " to %" PRId64, field->name, field->min, field->max);
        return false;
    }
    if (field->kind == V4_OBJECT && field->of)
        return check_members(c, field->of, value, field->name);
    if (field->kind == V4_LIST && field->of) {
        json_array_foreach(value, i, member)
            if (!check_members(c, field->of, member, field->name))
                return false;
    }
    return true;
}

static bool check_members(
    struct v4_call *c, const struct v4_field *fields, const json_t *value, const char *within)
{
    for (const struct v4_field *field = fields; field->kind; field++) {
        const json_t *member = v4_member(value, field);
        if (says_nothing(field, member) ||
            (field->required && field->kind == V4_TEXT && json_is_string(member) &&
             !json_string_length(member))) {
            if (!field->required)
                continue;
            v4_fail(
                c, field->code, "%s%s%s is missing", within ? within : "", within ? "." : "",
                field->name);
            return false;
        }
        if (!check_one(c, field, member))
            return false;
    }
    return true;
}

bool v4_check(struct v4_call *c, const struct v4_field *fields, const json_t *object)
{
    return check_members(c, fields, object, NULL);
}

/* ---- reading ---- */

const json_t *v4_get(const struct v4_call *c, const char *name)
{
    for (const struct v4_field *field = c->command->work->in; field->kind; field++) {
        if (strcmp(field->name, name) != 0)
            continue;
        const json_t *value = v4_member(c->request, field);
        return says_nothing(field, value) ? NULL : value;
    }
    return NULL;
}

static struct text not_empty(struct text t)
{
    return t.len ? t : TEXT_ABSENT;
}

struct text v4_text(const struct v4_call *c, const char *name)
{
    return not_empty(v4_text_of(v4_get(c, name)));
}

struct text v4_text_in(const json_t *object, const char *name)
{
    return not_empty(v4_text_of(json_object_get(object, name)));
}

int64_t v4_int(const struct v4_call *c, const char *name, int64_t fallback)
{
    const json_t *value = v4_get(c, name);

    return value ? as_int(value) : fallback;
}
