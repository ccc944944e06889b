/* Requests into structs, by field tables. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/fields.h"

#define AS_TEXT(x) #x
#define TO_TEXT(x) AS_TEXT(x)

/* Where in the request a value stands; written out as a JSON pointer only when something is wrong.
 */
struct place {
    const struct place *parent;
    const char *name; /* NULL: an index */
    size_t index;
};

struct decoding {
    struct arena *arena;
    struct err *err;
    bool inner;
};

/* Names are escaped as RFC 6901 asks, and cut: they may be the client's own. */
#define POINTER_NAME_BYTES 64

static void write_name(const char *name, char *buffer, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < POINTER_NAME_BYTES && name[i] && used + 3 < size; i++) {
        if (name[i] == '~' || name[i] == '/') {
            buffer[used++] = '~';
            buffer[used++] = name[i] == '~' ? '0' : '1';
        } else {
            buffer[used++] = name[i];
        }
    }
    /* What was cut within a character ends before it. */
    while (used && !text_is_utf8((struct text){buffer, used}))
        used--;
    buffer[used] = '\0';
}

static void write_pointer(const struct place *place, char *buffer, size_t size)
{
    if (!place) {
        buffer[0] = '\0';
        return;
    }
    write_pointer(place->parent, buffer, size);
    size_t used = strlen(buffer);
    if (used + 2 > size)
        return;
    if (!place->name) {
        snprintf(buffer + used, size - used, "/%zu", place->index);
        return;
    }
    buffer[used] = '/';
    write_name(place->name, buffer + used + 1, size - used - 1);
}

#define WRONG(d, place, ...) wrong_as(d, ERR_INVALID_REQUEST, place, __VA_ARGS__)
#define POINTER_BYTES 512
#define wrong_as(d, code, place, ...)                                                              \
    do {                                                                                           \
        char pointer_[POINTER_BYTES];                                                              \
        write_pointer(place, pointer_, sizeof(pointer_));                                          \
        err_field((d)->err, code, pointer_, __VA_ARGS__);                                          \
    } while (0)

static size_t max_of(const struct field *field)
{
    return field->max ? (size_t)field->max : FIELD_TEXT_BYTES;
}

static void *slot(const struct field *field, void *record)
{
    return record ? (char *)record + field->offset : NULL;
}

/* ---- one value of each kind ---- */

static bool is_one_of(const char *const *values, struct text t)
{
    for (; *values; values++)
        if (text_equal(t, text_of(*values)))
            return true;
    return false;
}

static const char *list_values(struct arena *arena, const char *const *values)
{
    const char *list = "";

    for (; *values; values++)
        list = arena_printf(arena, "%s%s%s", list, *list ? ", " : "", *values);
    return list;
}

static bool is_visible_ascii(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] < 0x21 || t.ptr[i] > 0x7E)
            return false;
    return true;
}

static bool check_text(
    struct decoding *d, const struct field *field, const struct place *place, struct text t)
{
    if (field->one_of && !is_one_of(field->one_of, t))
        WRONG(d, place, "must be one of: %s", list_values(d->arena, field->one_of));
    else if (t.len > max_of(field))
        WRONG(d, place, "is longer than %zu bytes", max_of(field));
    else if (t.len < (size_t)field->min)
        WRONG(d, place, field->min == 1 ? "must not be empty" : "is too short");
    else if (!text_is_utf8(t))
        WRONG(d, place, "is not valid UTF-8");
    else if (memchr(t.ptr, '\0', t.len))
        WRONG(d, place, "holds a NUL character");
    else if (field->visible_ascii && !is_visible_ascii(t))
        WRONG(d, place, "may only hold visible ASCII characters");
    else if (!field->multiline && text_has_control(t))
        WRONG(d, place, "holds a control character");
    else
        return true;
    return false;
}

static bool check_int(
    struct decoding *d, const struct field *field, const struct place *place, int64_t value)
{
    bool right = value >= field->min && (!field->max || value <= field->max);

    if (!right)
        WRONG(
            d, place, "must be from %lld to %lld", (long long)field->min,
            (long long)(field->max ? field->max : INT64_MAX));
    return right;
}

static void decode_real(
    struct decoding *d,
    const struct field *field,
    const struct place *place,
    const json_t *json,
    double *ret)
{
    double value = json_number_value(json);
    bool bounded = field->min_real != 0 || field->max_real != 0;

    if (!json_is_number(json))
        WRONG(d, place, "must be a number");
    else if (!isfinite(value) || (bounded && (value < field->min_real || value > field->max_real)))
        WRONG(d, place, "must be from %g to %g", field->min_real, field->max_real);
    else if (ret)
        *ret = value;
}

static void decode_time(
    struct decoding *d, const struct place *place, struct text t, bool is_text, int64_t *ret)
{
    int64_t us;

    if (!is_text || !clock_from_text(t, &us))
        WRONG(d, place, "must be an RFC 3339 time such as 2026-11-22T19:05:01.123Z");
    else if (ret)
        *ret = us;
}

static void decode_message_id(
    struct decoding *d, const struct place *place, struct text t, struct message_id *ret)
{
    struct message_id id;

    /* An id that was never given out is a resource that is not there, not a malformed request. */
    if (!message_id_from_text(t, &id))
        wrong_as(d, ERR_MESSAGE_UNKNOWN, place, "names no message");
    else if (ret)
        *ret = id;
}

static void decode_map(
    struct decoding *d,
    const struct field *field,
    const struct place *place,
    json_t *json,
    json_t **ret)
{
    const char *name;
    json_t *value;
    size_t max_value = field->max_value_bytes ? (size_t)field->max_value_bytes : FIELD_TEXT_BYTES;

    if (!json_is_object(json)) {
        WRONG(d, place, "must be an object of strings");
        return;
    }
    if (json_object_size(json) > max_of(field))
        WRONG(d, place, "has more than %zu members", max_of(field));
    json_object_foreach(json, name, value) {
        struct place member = {place, name, 0};
        if (name[0] == '\0' || strlen(name) > FIELD_MAP_NAME_BYTES)
            WRONG(d, &member, "a name must be 1 to %d bytes", FIELD_MAP_NAME_BYTES);
        else if (field->null_values && json_is_null(value))
            continue;
        else if (!json_is_string(value))
            WRONG(d, &member, "must be a string");
        else if (json_string_length(value) > max_value)
            WRONG(d, &member, "is longer than %zu bytes", max_value);
    }
    if (ret)
        *ret = json;
}

static void decode_members(
    struct decoding *d,
    const struct fields *fields,
    const struct place *place,
    const char *tag,
    json_t *json,
    void *record);

static void decode_json_value(
    struct decoding *d,
    const struct field *field,
    const struct place *place,
    json_t *json,
    void *ret);

static void decode_variant(
    struct decoding *d, const struct field *field, const struct place *place, json_t *json)
{
    const json_t *type = json_object_get(json, "type");
    struct place at_type = {place, "type", 0};

    if (!json_is_object(json)) {
        WRONG(d, place, "must be an object");
        return;
    }
    for (const struct variant *v = field->variants; v->type; v++) {
        if (!json_is_string(type) || strcmp(json_string_value(type), v->type) != 0)
            continue;
        decode_members(d, &v->fields, place, "type", json, NULL);
        return;
    }
    WRONG(d, &at_type, type ? "is no type known here" : "is missing");
}

static bool check_array(
    struct decoding *d, const struct field *field, const struct place *place, const json_t *json)
{
    size_t n = json_array_size(json);

    if (!json_is_array(json)) {
        WRONG(d, place, "must be an array");
        return false;
    }
    if (n < (size_t)field->min || n > max_of(field)) {
        WRONG(d, place, "must have %lld to %zu members", (long long)field->min, max_of(field));
        return false;
    }
    return true;
}

static void decode_variants(
    struct decoding *d,
    const struct field *field,
    const struct place *place,
    json_t *json,
    json_t **ret)
{
    if (!check_array(d, field, place, json))
        return;
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct place member = {place, NULL, i};
        decode_variant(d, field, &member, json_array_get(json, i));
    }
    if (ret)
        *ret = json;
}

static struct text json_text(const json_t *json)
{
    return (struct text){json_string_value(json), json_string_length(json)};
}

/* ---- lists ---- */

static size_t member_size(const struct field *field)
{
    return field->kind == FIELD_KIND_LIST ? field->of->size : sizeof(struct text);
}

static void decode_list_member(
    struct decoding *d,
    const struct field *field,
    const struct place *place,
    json_t *json,
    void *ret)
{
    const struct field text = {
        .kind = FIELD_KIND_TEXT, .min = 1, .max = field->max_value_bytes, .one_of = field->one_of};

    if (field->kind == FIELD_KIND_LIST)
        decode_members(d, field->of, place, NULL, json, ret);
    else
        decode_json_value(d, &text, place, json, ret);
}

size_t list_place(const struct list *list, size_t i)
{
    return list->places ? list->places[i] : i;
}

/* In the order of the request. */
static void leave_out(struct list *list, size_t place, const struct err *err)
{
    struct left_out *out = arena_alloc(err->arena, sizeof(*out));
    struct left_out **at = &list->left_out;

    while (*at && (*at)->place < place)
        at = &(*at)->next;
    *out = (struct left_out){place, *err, *at};
    *at = out;
    list->n_left_out++;
}

void list_leave_out(struct list *list, size_t i, size_t size, const struct err *err)
{
    char *item = (char *)list->items + i * size;
    size_t n_behind = list->n_items - i - 1;

    leave_out(list, list->places[i], err);
    memmove(item, item + size, n_behind * size);
    memmove(&list->places[i], &list->places[i + 1], n_behind * sizeof(*list->places));
    list->n_items--;
}

static void name_left_out(const struct list *list, struct err *err)
{
    for (const struct left_out *out = list->left_out; out; out = out->next)
        for (const struct err_field *field = out->err.fields; field; field = field->next)
            err_field(err, out->err.code, field->pointer, "%s", field->detail);
}

int list_must_hold(const struct list *list, struct err *err)
{
    if (list->n_items || !list->left_out)
        return 0;
    name_left_out(list, err);
    return -1;
}

void fields_name_left_out(const struct fields *fields, const void *record, struct err *err)
{
    for (const struct field *f = fields->list; f && f->kind; f++)
        if (f->one_by_one)
            name_left_out(
                (const struct list *)(const void *)((const char *)record + f->offset), err);
}

static void check_item(
    struct decoding *d, const struct field *field, const struct place *place, const void *item)
{
    char pointer[POINTER_BYTES];

    write_pointer(place, pointer, sizeof(pointer));
    field->check_item(d->err, pointer, item);
}

static void decode_one_by_one(
    struct decoding *d,
    const struct field *field,
    const struct place *place,
    const json_t *json,
    struct list *list)
{
    size_t n = json_array_size(json);
    size_t size = member_size(field);

    list->places = arena_alloc(d->arena, n * sizeof(*list->places));
    for (size_t i = 0; i < n; i++) {
        struct place at = {place, NULL, i};
        struct err err;
        struct decoding own = {d->arena, &err, d->inner};
        char *item = (char *)list->items + list->n_items * size;
        err_init(&err, d->arena);
        decode_list_member(&own, field, &at, json_array_get(json, i), item);
        if (field->check_item && json_is_object(json_array_get(json, i)))
            check_item(&own, field, &at, item);
        if (err.code == ERR_NONE) {
            list->places[list->n_items++] = i;
        } else {
            memset(item, 0, size);
            leave_out(list, i, &err);
        }
    }
    list_must_hold(list, d->err);
}

static void decode_list(
    struct decoding *d,
    const struct field *field,
    const struct place *place,
    const json_t *json,
    struct list *ret)
{
    struct list list = {0};

    if (!check_array(d, field, place, json))
        return;
    size_t n = json_array_size(json);
    list.items = arena_alloc(d->arena, n * member_size(field));
    if (field->one_by_one) {
        decode_one_by_one(d, field, place, json, &list);
    } else {
        for (; list.n_items < n; list.n_items++) {
            struct place at = {place, NULL, list.n_items};
            decode_list_member(
                d, field, &at, json_array_get(json, list.n_items),
                (char *)list.items + list.n_items * member_size(field));
        }
    }
    if (ret)
        *ret = list;
}

static void decode_json_value(
    struct decoding *d,
    const struct field *field,
    const struct place *place,
    json_t *json,
    void *ret)
{
    bool is_text = json_is_string(json);

    switch (field->kind) {
    case FIELD_KIND_TEXT:
        if (!is_text)
            WRONG(d, place, "must be a string");
        else if (check_text(d, field, place, json_text(json)) && ret)
            *(struct text *)ret = json_text(json);
        return;
    case FIELD_KIND_BOOL:
        if (!json_is_boolean(json))
            WRONG(d, place, "must be true or false");
        else if (ret)
            *(bool *)ret = json_is_true(json);
        return;
    case FIELD_KIND_INT:
        if (!json_is_integer(json))
            WRONG(d, place, "must be a whole number");
        else if (check_int(d, field, place, json_integer_value(json)) && ret)
            *(int64_t *)ret = json_integer_value(json);
        return;
    case FIELD_KIND_REAL:
        decode_real(d, field, place, json, ret);
        return;
    case FIELD_KIND_TIME:
        decode_time(d, place, json_text(json), is_text, ret);
        return;
    case FIELD_KIND_MESSAGE_ID:
        decode_message_id(d, place, is_text ? json_text(json) : TEXT_ABSENT, ret);
        return;
    case FIELD_KIND_MAP:
        decode_map(d, field, place, json, ret);
        return;
    case FIELD_KIND_JSON:
        if (!json_is_object(json) && !json_is_array(json))
            WRONG(d, place, "must be an object or an array");
        else if (ret)
            *(json_t **)ret = json;
        return;
    case FIELD_KIND_VARIANTS:
        decode_variants(d, field, place, json, ret);
        return;
    case FIELD_KIND_OBJECT:
        decode_members(d, field->of, place, NULL, json, ret);
        return;
    case FIELD_KIND_LIST:
    case FIELD_KIND_TEXTS:
        decode_list(d, field, place, json, ret);
        return;
    case FIELD_KIND_RAW:
    case FIELD_KIND_END:
        WRONG(d, place, "cannot stand here");
        return;
    }
}

/* A value that stands as text in the path, the query or a header. */
static void decode_text_value(
    struct decoding *d,
    const struct field *field,
    const struct place *place,
    struct text t,
    void *ret)
{
    int64_t number;

    switch (field->kind) {
    case FIELD_KIND_TEXT:
        if (check_text(d, field, place, t))
            *(struct text *)ret = t;
        return;
    case FIELD_KIND_BOOL:
        /* The name alone says it, too: `?verbose`. */
        if (t.len && !text_equal(t, TEXT("true")) && !text_equal(t, TEXT("false")))
            WRONG(d, place, "must be true or false");
        else
            *(bool *)ret = !text_equal(t, TEXT("false"));
        return;
    case FIELD_KIND_INT:
        if (!text_to_i64(t, &number))
            WRONG(d, place, "must be a whole number");
        else if (check_int(d, field, place, number))
            *(int64_t *)ret = number;
        return;
    case FIELD_KIND_TIME:
        decode_time(d, place, t, true, ret);
        return;
    case FIELD_KIND_MESSAGE_ID:
        decode_message_id(d, place, t, ret);
        return;
    case FIELD_KIND_REAL:
    case FIELD_KIND_MAP:
    case FIELD_KIND_JSON:
    case FIELD_KIND_VARIANTS:
    case FIELD_KIND_RAW:
    case FIELD_KIND_OBJECT:
    case FIELD_KIND_LIST:
    case FIELD_KIND_TEXTS:
    case FIELD_KIND_END:
        WRONG(d, place, "cannot stand here");
        return;
    }
}

/* ---- records ---- */

/* As a field is that is not there, or that turns out to be wrong. */
static void set_absent(const struct field *field, void *ret)
{
    switch (field->kind) {
    case FIELD_KIND_TEXT:
        *(struct text *)ret = text_of(field->fallback_text);
        return;
    case FIELD_KIND_BOOL:
        *(bool *)ret = field->has_fallback && field->fallback;
        return;
    case FIELD_KIND_INT:
    case FIELD_KIND_TIME:
        *(int64_t *)ret = field->has_fallback ? field->fallback : FIELD_ABSENT;
        return;
    case FIELD_KIND_OBJECT:
        for (const struct field *f = field->of->list; f->kind; f++)
            set_absent(f, slot(f, ret));
        return;
    case FIELD_KIND_REAL:
    case FIELD_KIND_MESSAGE_ID:
    case FIELD_KIND_MAP:
    case FIELD_KIND_JSON:
    case FIELD_KIND_VARIANTS:
    case FIELD_KIND_RAW:
    case FIELD_KIND_LIST:
    case FIELD_KIND_TEXTS:
    case FIELD_KIND_END:
        return; /* the record is zeroed, which is absent */
    }
}

static bool is_in_body(const struct decoding *d, const struct field *field)
{
    return field->from == IN_BODY || (d->inner && field->from == IN_INNER);
}

static bool is_member(const struct decoding *d, const struct fields *fields, const char *name)
{
    for (const struct field *f = fields->list; f->kind; f++)
        if (is_in_body(d, f) && strcmp(f->name, name) == 0)
            return true;
    return false;
}

static bool is_known(
    const struct fields *fields, enum field_place from, const char *name, size_t len)
{
    for (const struct field *f = fields->list; f->kind; f++)
        if (f->from == from && strlen(f->name) == len && memcmp(f->name, name, len) == 0)
            return true;
    return false;
}

/* The members of an object that stand in the table; `tag` is one that the caller has looked at. */
static void decode_members(
    struct decoding *d,
    const struct fields *fields,
    const struct place *place,
    const char *tag,
    json_t *json,
    void *record)
{
    const char *name;
    json_t *value;
    size_t n_met = 0;

    if (json && !json_is_object(json)) {
        WRONG(d, place, "must be an object");
        return;
    }
    for (const struct field *field = fields->list; field->kind; field++) {
        if (!is_in_body(d, field))
            continue;
        struct place member = {place, field->name, 0};
        value = json_object_get(json, field->name);
        if (value)
            n_met++;
        if (record)
            set_absent(field, slot(field, record));
        /* null and absent are one: a client that has no value may say either. */
        if (value && !json_is_null(value))
            decode_json_value(d, field, &member, value, slot(field, record));
        else if (field->required)
            WRONG(d, &member, "is missing");
    }
    if (n_met + (tag ? 1 : 0) == json_object_size(json))
        return;
    json_object_foreach(json, name, value) {
        struct place member = {place, name, 0};
        if (!is_member(d, fields, name) && !(tag && strcmp(name, tag) == 0))
            WRONG(d, &member, "is not known here");
    }
}

static const struct param *find_param(const struct param *params, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (text_equal(params[i].name, text_of(name)))
            return &params[i];
    return NULL;
}

static struct text find_in_caller(const struct field_source *source, const char *name)
{
    if (strcmp(name, "sent_by") == 0)
        return source->sent_by;
    if (strcmp(name, "as_device") == 0)
        return source->as_device;
    if (strcmp(name, "issued_at") == 0)
        return source->issued_at;
    return source->as_user;
}

static struct text find_outside_body(const struct field_source *source, const struct field *field)
{
    const struct param *param = NULL;

    if (field->from == IN_CALLER)
        return find_in_caller(source, field->name);
    if (field->from == IN_STREAM)
        return TEXT_ABSENT;
    if (field->from == IN_HEADER)
        return source->header ? source->header(source->context, field->header) : TEXT_ABSENT;
    if (field->from == IN_PATH)
        param = find_param(source->path, source->n_path, field->name);
    if (field->from == IN_QUERY)
        param = find_param(source->query, source->n_query, field->name);
    return param ? param->value : TEXT_ABSENT;
}

static void decode_outside_body(
    struct decoding *d,
    const struct fields *fields,
    const struct field_source *source,
    void *record)
{
    for (size_t i = 0; i < source->n_query; i++) {
        struct text name = source->query[i].name;
        struct place place = {NULL, arena_text(d->arena, name).ptr, 0};
        if (!is_known(fields, IN_QUERY, name.ptr, name.len))
            WRONG(d, &place, "is not known here");
    }
    for (const struct field *field = fields->list; field->kind; field++) {
        if (field->from == IN_BODY || field->from == IN_INNER)
            continue;
        struct place place = {NULL, field->from == IN_HEADER ? field->header : field->name, 0};
        struct text value = find_outside_body(source, field);
        set_absent(field, slot(field, record));
        if (text_present(value))
            decode_text_value(d, field, &place, value, slot(field, record));
        else if (field->required)
            WRONG(d, &place, "is missing");
    }
}

int fields_decode(
    const struct fields *fields,
    const struct field_source *source,
    struct arena *arena,
    void *ret,
    struct err *err)
{
    static const struct field none[] = {FIELD_END};
    const struct fields known = {fields->list ? fields->list : none, fields->size};
    struct decoding d = {arena, err, source->inner};

    decode_outside_body(&d, &known, source, ret);
    decode_members(&d, &known, NULL, NULL, source->body, ret);
    return err->code == ERR_NONE ? 0 : -1;
}

/* ---- JSON text ---- */

/* jansson parses by recursion, up to 2048 levels, and makes 80 bytes of a value of two: what is
 * nested deeper than we allow, or has more values, is refused before it is given any memory. NULL,
 * or what is wrong. */
static const char *excess(struct text body)
{
    int depth = 0;
    size_t n_values = 0;
    bool in_string = false;

    for (size_t i = 0; i < body.len; i++) {
        char c = body.ptr[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (in_string)
            continue;
        else if (c == '}' || c == ']')
            depth--;
        else if (c == '{' || c == '[' || c == ',') {
            if (c != ',' && ++depth > FIELDS_JSON_DEPTH)
                return "nested too deep: a body may have " TO_TEXT(FIELDS_JSON_DEPTH) " levels";
            if (++n_values > FIELDS_JSON_VALUES)
                return "too many values: a body may have " TO_TEXT(FIELDS_JSON_VALUES);
        }
    }
    return NULL;
}

static bool is_blank(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (!memchr(" \t\r\n", t.ptr[i], 4))
            return false;
    return true;
}

/* jansson's own text quotes the input, so it is not told. */
static const char *reason_of(enum json_error_code code)
{
    switch (code) {
    case json_error_duplicate_key:
        return "a name stands twice in one object";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "U+0000 is not taken";
    case json_error_invalid_utf8:
        return "bytes that are not UTF-8";
    case json_error_numeric_overflow:
        return "a number that is too large";
    case json_error_premature_end_of_input:
        return "ends too early";
    case json_error_end_of_input_expected:
        return "goes on behind its end";
    case json_error_unknown:
    case json_error_out_of_memory:
    case json_error_stack_overflow:
    case json_error_cannot_open_file:
    case json_error_invalid_argument:
    case json_error_invalid_syntax:
    case json_error_invalid_format:
    case json_error_wrong_type:
    case json_error_null_value:
    case json_error_item_not_found:
    case json_error_index_out_of_range:
        break;
    }
    return "no JSON";
}

int fields_parse_json(struct text body, json_t **ret, struct err *err)
{
    json_error_t error;

    if (is_blank(body))
        return err_set(err, ERR_MALFORMED_JSON, "there is none; one without members is {}");
    const char *wrong = excess(body);
    if (wrong)
        return err_set(err, ERR_MALFORMED_JSON, "%s", wrong);
    json_t *json = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        return err_set(
            err, ERR_MALFORMED_JSON, "%s, at line %d, column %d",
            reason_of(json_error_code(&error)), error.line, error.column);
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(err, ERR_MALFORMED_JSON, "not an object");
    }
    *ret = json;
    return 0;
}
