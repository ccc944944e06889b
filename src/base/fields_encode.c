/* Structs into replies, and the tables themselves into JSON. */
#include <stdio.h>

#include "base/clock.h"
#include "base/fields.h"

static const void *slot(const struct field *field, const void *record)
{
    return (const char *)record + field->offset;
}

static json_t *encode_text(struct text t)
{
    return text_present(t) ? json_stringn(t.ptr, t.len) : json_null();
}

static json_t *encode_time(int64_t us)
{
    char buffer[CLOCK_TEXT];

    return us == FIELD_ABSENT ? json_null() : encode_text(clock_to_text(us, buffer));
}

static json_t *encode_message_id(const struct message_id *id)
{
    char buffer[MESSAGE_ID_TEXT];

    return id->receiver ? encode_text(message_id_to_text(id, buffer)) : json_null();
}

static json_t *encode_list(const struct fields *of, const struct list *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->n_items; i++)
        json_array_append_new(array, fields_encode(of, (const char *)list->items + i * of->size));
    return array;
}

static json_t *encode_value(const struct field *field, const void *value)
{
    switch (field->kind) {
    case FIELD_KIND_TEXT:
        return encode_text(*(const struct text *)value);
    case FIELD_KIND_BOOL:
        return json_boolean(*(const bool *)value);
    case FIELD_KIND_INT:
        if (*(const int64_t *)value == FIELD_ABSENT)
            return json_null();
        return json_integer(*(const int64_t *)value);
    case FIELD_KIND_REAL:
        return json_real(*(const double *)value);
    case FIELD_KIND_TIME:
        return encode_time(*(const int64_t *)value);
    case FIELD_KIND_MESSAGE_ID:
        return encode_message_id(value);
    case FIELD_KIND_MAP:
    case FIELD_KIND_JSON:
    case FIELD_KIND_VARIANTS:
        return *(json_t *const *)value ? json_incref(*(json_t *const *)value) : json_null();
    case FIELD_KIND_OBJECT:
        return fields_encode(field->of, value);
    case FIELD_KIND_LIST:
        return encode_list(field->of, value);
    case FIELD_KIND_END:
        break;
    }
    return NULL;
}

json_t *fields_encode(const struct fields *fields, const void *record)
{
    json_t *object = json_object();

    for (const struct field *field = fields->list; field->kind; field++) {
        json_t *value = encode_value(field, slot(field, record));
        if (field->omit_absent && json_is_null(value)) {
            json_decref(value);
            continue;
        }
        /* The names are our own and unique; only a value that is not UTF-8 can fail. */
        if (json_object_set_new_nocheck(object, field->name, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* ---- describing ---- */

static const char *const kind_names[] = {
    [FIELD_KIND_END] = "end",
    [FIELD_KIND_TEXT] = "text",
    [FIELD_KIND_BOOL] = "bool",
    [FIELD_KIND_INT] = "int",
    [FIELD_KIND_REAL] = "real",
    [FIELD_KIND_TIME] = "time",
    [FIELD_KIND_MESSAGE_ID] = "message_id",
    [FIELD_KIND_MAP] = "map",
    [FIELD_KIND_JSON] = "json",
    [FIELD_KIND_VARIANTS] = "variants",
    [FIELD_KIND_OBJECT] = "object",
    [FIELD_KIND_LIST] = "list",
};

static const char *const place_names[] = {
    [IN_BODY] = "body", [IN_PATH] = "path", [IN_QUERY] = "query", [IN_HEADER] = "header"};

static json_t *describe_variants(const struct variant *variants)
{
    json_t *object = json_object();

    for (; variants->type; variants++)
        json_object_set_new(object, variants->type, fields_describe(&variants->fields, true));
    return object;
}

static void describe_limits(const struct field *field, json_t *object)
{
    bool counted = field->kind == FIELD_KIND_TEXT || field->kind == FIELD_KIND_LIST ||
                   field->kind == FIELD_KIND_VARIANTS || field->kind == FIELD_KIND_MAP;

    if (field->kind == FIELD_KIND_REAL && (field->min_real != 0 || field->max_real != 0)) {
        json_object_set_new(object, "min", json_real(field->min_real));
        json_object_set_new(object, "max", json_real(field->max_real));
    }
    if (field->kind == FIELD_KIND_INT || (counted && field->min))
        json_object_set_new(object, "min", json_integer(field->min));
    if (field->max || (counted && !field->one_of))
        json_object_set_new(
            object, "max", json_integer(field->max ? field->max : FIELD_TEXT_BYTES));
    if (field->max_value_bytes)
        json_object_set_new(object, "max_value_bytes", json_integer(field->max_value_bytes));
}

static void describe_default(const struct field *field, json_t *object)
{
    if (field->fallback_text)
        json_object_set_new(object, "default", json_string(field->fallback_text));
    if (field->has_fallback && field->kind == FIELD_KIND_BOOL)
        json_object_set_new(object, "default", json_boolean(field->fallback));
    if (field->has_fallback && field->kind == FIELD_KIND_INT)
        json_object_set_new(object, "default", json_integer(field->fallback));
}

static void describe_request_side(const struct field *field, json_t *object)
{
    json_object_set_new(object, "from", json_string(place_names[field->from]));
    json_object_set_new(object, "required", json_boolean(field->required));
    if (field->header)
        json_object_set_new(object, "header", json_string(field->header));
    describe_limits(field, object);
    describe_default(field, object);
}

static json_t *describe_field(const struct field *field, bool as_request)
{
    json_t *object = json_object();

    json_object_set_new(object, "name", json_string(field->name));
    json_object_set_new(object, "kind", json_string(kind_names[field->kind]));
    if (as_request)
        describe_request_side(field, object);
    if (field->one_of) {
        json_t *values = json_array();
        for (const char *const *value = field->one_of; *value; value++)
            json_array_append_new(values, json_string(*value));
        json_object_set_new(object, "one_of", values);
    }
    if (field->of)
        json_object_set_new(object, "fields", fields_describe(field->of, as_request));
    if (field->variants)
        json_object_set_new(object, "variants", describe_variants(field->variants));
    return object;
}

json_t *fields_describe(const struct fields *fields, bool as_request)
{
    json_t *array = json_array();

    for (const struct field *field = fields->list; field && field->kind; field++)
        json_array_append_new(array, describe_field(field, as_request));
    return array;
}
