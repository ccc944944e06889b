/* Bodies into a table that has every kind of field. */
#include "base/fields.h"

#include <stdlib.h>

struct inner {
    struct text word;
    int64_t number;
};

static const struct field inner_list[] = {
    FIELD_TEXT(struct inner, word, .required = true, .max = 5),
    FIELD_INT(struct inner, number, .max = 10),
    FIELD_END,
};
static const struct fields inner_fields = FIELDS(inner_list, struct inner);

static const struct field circle_fields[] = {
    FIELD_CHECKED("radius", FIELD_KIND_REAL, .max_real = 9),
    FIELD_END,
};
static const struct variant shapes[] = {{"circle", {circle_fields, 0}}, {NULL, {NULL, 0}}};

static int check_inner(struct err *err, const char *pointer, const void *item)
{
    const struct inner *inner = item;

    if (text_equal(inner->word, TEXT("odd")))
        return err_field(
            err, ERR_INVALID_REQUEST, arena_printf(err->arena, "%s/word", pointer), "is odd");
    return 0;
}

struct outer {
    struct text name;
    bool flag;
    int64_t count;
    double real;
    int64_t at;
    struct message_id id;
    json_t *map;
    json_t *json;
    json_t *shapes;
    struct inner inner;
    struct list list;
    struct list singly;
    struct list words;
};

static const struct field outer_list[] = {
    FIELD_TEXT(struct outer, name, .max = 16),
    FIELD_BOOL(struct outer, flag),
    FIELD_INT(struct outer, count, .max = 9),
    FIELD_REAL(struct outer, real),
    FIELD_TIME(struct outer, at),
    FIELD_MESSAGE_ID(struct outer, id),
    FIELD_MAP(struct outer, map, .max = 4, .max_value_bytes = 8),
    FIELD_JSON(struct outer, json),
    FIELD_VARIANTS(struct outer, shapes, .max = 4, .variants = shapes),
    FIELD_OBJECT(struct outer, inner, struct inner, .of = &inner_fields),
    FIELD_LIST(struct outer, list, .max = 4, .of = &inner_fields),
    FIELD_LIST(
        struct outer,
        singly,
        .max = 4,
        .of = &inner_fields,
        .one_by_one = true,
        .check_item = check_inner),
    FIELD_TEXTS(struct outer, words, .max = 4, .max_value_bytes = 3, .one_by_one = true),
    FIELD_END,
};
static const struct fields outer_fields = FIELDS(outer_list, struct outer);

/* Of members that go one by one, each is either taken in or left out, in the order of the request.
 */
static void assert_in_place(const struct list *list)
{
    for (size_t i = 1; i < list->n_items; i++)
        if (list_place(list, i - 1) >= list_place(list, i))
            abort();
    for (const struct left_out *out = list->left_out; out; out = out->next)
        for (size_t i = 0; i < list->n_items; i++)
            if (list_place(list, i) == out->place)
                abort();
}

/* Whatever else is wrong: the rules of operations look at records that are refused. */
static void assert_within_limits(const struct outer *outer)
{
    bool inner = outer->inner.word.len <= 5 &&
                 (outer->inner.number == FIELD_ABSENT || outer->inner.number <= 10);
    bool count = outer->count == FIELD_ABSENT || (outer->count >= 0 && outer->count <= 9);

    if (outer->name.len > 16 || !count || !inner || outer->list.n_items > 4 ||
        outer->words.n_items > 4 || json_array_size(outer->shapes) > 4)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct err err;
    json_t *body = NULL;
    struct outer outer = {0};

    err_init(&err, arena);
    if (fields_parse_json((struct text){(const char *)data, size}, &body, &err) == 0) {
        const struct field_source source = {.body = body};
        int result = fields_decode(&outer_fields, &source, arena, &outer, &err);
        assert_within_limits(&outer);
        assert_in_place(&outer.singly);
        assert_in_place(&outer.words);
        if (result == 0) {
            /* What was taken in can be written out, and read again. */
            buf_auto written = BUF(1 << 20);
            fields_encode(&outer_fields, &outer, &written);
            json_t *json = json_loadb(written.ptr, written.len, 0, NULL);
            if (!json)
                abort();
            json_decref(json);
        } else if (err.code == ERR_NONE) {
            abort();
        }
        fields_name_left_out(&outer_fields, &outer, &err);
        json_decref(body);
    }
    arena_free(arena);
    return 0;
}
