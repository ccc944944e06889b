/* Structs into replies, and the tables themselves into JSON. */
#include "base/clock.h"
#include "base/fields.h"
#include "base/json.h"

static void write_optional_text(struct buf *ret, struct text t)
{
    if (text_present(t))
        json_write_text(ret, t);
    else
        buf_text(ret, TEXT("null"));
}

static void write_time(struct buf *ret, int64_t us)
{
    char buffer[CLOCK_TEXT];

    write_optional_text(ret, us == FIELD_ABSENT ? TEXT_ABSENT : clock_to_text(us, buffer));
}

static void write_message_id(struct buf *ret, const struct message_id *id)
{
    char buffer[MESSAGE_ID_TEXT];

    write_optional_text(ret, id->receiver ? message_id_to_text(id, buffer) : TEXT_ABSENT);
}

static void write_list(struct buf *ret, const struct fields *of, const struct list *list)
{
    buf_char(ret, '[');
    for (size_t i = 0; i < list->n_items; i++) {
        if (i)
            buf_char(ret, ',');
        fields_encode(of, (const char *)list->items + i * of->size, ret);
    }
    buf_char(ret, ']');
}

static void write_texts(struct buf *ret, const struct list *list)
{
    const struct text *texts = list->items;

    buf_char(ret, '[');
    for (size_t i = 0; i < list->n_items; i++) {
        if (i)
            buf_char(ret, ',');
        json_write_text(ret, texts[i]);
    }
    buf_char(ret, ']');
}

static void write_value(struct buf *ret, const struct field *field, const void *value)
{
    int64_t number;

    switch (field->kind) {
    case FIELD_KIND_TEXT:
        write_optional_text(ret, *(const struct text *)value);
        return;
    case FIELD_KIND_BOOL:
        buf_text(ret, *(const bool *)value ? TEXT("true") : TEXT("false"));
        return;
    case FIELD_KIND_INT:
        number = *(const int64_t *)value;
        if (number == FIELD_ABSENT)
            buf_text(ret, TEXT("null"));
        else
            json_write_i64(ret, number);
        return;
    case FIELD_KIND_REAL:
        json_write_real(ret, *(const double *)value);
        return;
    case FIELD_KIND_TIME:
        write_time(ret, *(const int64_t *)value);
        return;
    case FIELD_KIND_MESSAGE_ID:
        write_message_id(ret, value);
        return;
    case FIELD_KIND_MAP:
    case FIELD_KIND_JSON:
    case FIELD_KIND_VARIANTS:
        if (*(json_t *const *)value)
            json_write_tree(ret, *(json_t *const *)value);
        else
            buf_text(ret, TEXT("null"));
        return;
    case FIELD_KIND_RAW:
        buf_text(
            ret,
            text_present(*(const struct text *)value) ? *(const struct text *)value : TEXT("null"));
        return;
    case FIELD_KIND_OBJECT:
        fields_encode(field->of, value, ret);
        return;
    case FIELD_KIND_LIST:
        write_list(ret, field->of, value);
        return;
    case FIELD_KIND_TEXTS:
        write_texts(ret, value);
        return;
    case FIELD_KIND_END:
        return;
    }
}

static bool is_absent(const struct field *field, const void *value)
{
    switch (field->kind) {
    case FIELD_KIND_TEXT:
    case FIELD_KIND_RAW:
        return !text_present(*(const struct text *)value);
    case FIELD_KIND_INT:
    case FIELD_KIND_TIME:
        return *(const int64_t *)value == FIELD_ABSENT;
    case FIELD_KIND_MESSAGE_ID:
        return ((const struct message_id *)value)->receiver == 0;
    case FIELD_KIND_MAP:
    case FIELD_KIND_JSON:
    case FIELD_KIND_VARIANTS:
        return !*(json_t *const *)value;
    case FIELD_KIND_OBJECT:
        return is_absent(field->of->list, (const char *)value + field->of->list->offset);
    case FIELD_KIND_LIST:
    case FIELD_KIND_TEXTS:
        return ((const struct list *)value)->n_items == 0;
    case FIELD_KIND_BOOL:
    case FIELD_KIND_REAL:
    case FIELD_KIND_END:
        return false;
    }
    return false;
}

/* Of an object that has some, without its braces. */
static void write_members(struct buf *ret, struct text object)
{
    buf_add(ret, object.ptr + 1, object.len - 2);
}

void fields_encode(const struct fields *fields, const void *record, struct buf *ret)
{
    char separator = '{';

    for (const struct field *field = fields->list; field->kind; field++) {
        const void *value = (const char *)record + field->offset;
        bool shown = field->from == IN_BODY || field->from == IN_INNER;
        if (!shown || (field->omit_absent && is_absent(field, value)))
            continue;
        buf_char(ret, separator);
        separator = ',';
        if (field->spread) {
            write_members(ret, *(const struct text *)value);
            continue;
        }
        buf_char(ret, '"');
        buf_text(ret, text_of(field->name));
        buf_text(ret, TEXT("\":"));
        write_value(ret, field, value);
    }
    if (separator == '{')
        buf_char(ret, '{');
    buf_char(ret, '}');
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
    [FIELD_KIND_RAW] = "json",
    [FIELD_KIND_OBJECT] = "object",
    [FIELD_KIND_LIST] = "list",
    [FIELD_KIND_TEXTS] = "texts",
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
                   field->kind == FIELD_KIND_TEXTS || field->kind == FIELD_KIND_VARIANTS ||
                   field->kind == FIELD_KIND_MAP;

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
    /* How it is held in memory is nobody's business. */
    enum field_kind kind = field->variants ? FIELD_KIND_VARIANTS : field->kind;
    json_object_set_new(object, "kind", json_string(kind_names[kind]));
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
        if (as_request ? field->from < IN_CALLER
                       : field->from == IN_BODY) /* what no client says or sees */
            json_array_append_new(array, describe_field(field, as_request));
    return array;
}
