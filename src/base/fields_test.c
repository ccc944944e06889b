#include "base/fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/testing.h"

struct inner {
    struct text word;
    int64_t number;
};

static const struct field inner_list[] = {
    FIELD_TEXT(struct inner, word, .required = true, .min = 1, .max = 5),
    FIELD_INT(struct inner, number, .max = 10, .fallback = 7, .has_fallback = true),
    FIELD_END,
};
static const struct fields inner_fields = FIELDS(inner_list, struct inner);

static const struct field circle_fields[] = {
    FIELD_CHECKED("radius", FIELD_KIND_REAL, .required = true, .min_real = 0, .max_real = 9),
    FIELD_END,
};
static const struct field dot_fields[] = {FIELD_END};
static const struct variant shapes[] = {
    {"circle", {circle_fields, 0}},
    {"dot", {dot_fields, 0}},
    {NULL, {NULL, 0}},
};

static const char *const colours[] = {"red", "green", NULL};

struct outer {
    struct text id;
    struct text name;
    struct text colour;
    bool flag;
    int64_t count;
    int64_t at;
    json_t *map;
    json_t *shapes;
    struct inner inner;
    struct list list;
    struct list words;
    struct text key;
    struct text as_user;
};

static const struct field outer_list[] = {
    FIELD_TEXT(struct outer, id, .from = IN_PATH, .required = true, .max = 8),
    FIELD_TEXT(struct outer, name, .required = true, .min = 1, .max = 4),
    FIELD_TEXT(struct outer, colour, .one_of = colours, .fallback_text = "red"),
    FIELD_BOOL(struct outer, flag, .fallback = true, .has_fallback = true),
    FIELD_INT(struct outer, count, .min = 1, .max = 9, .from = IN_QUERY),
    FIELD_TIME(struct outer, at),
    FIELD_MAP(struct outer, map, .max = 2, .max_value_bytes = 3),
    FIELD_VARIANTS(struct outer, shapes, .min = 1, .max = 2, .variants = shapes),
    FIELD_OBJECT(struct outer, inner, struct inner, .of = &inner_fields),
    FIELD_LIST(struct outer, list, .max = 2, .of = &inner_fields),
    FIELD_TEXTS(struct outer, words, .min = 1, .max = 2, .max_value_bytes = 3, .omit_absent = true),
    FIELD_TEXT(
        struct outer, key, .from = IN_HEADER, .header = "Key", .visible_ascii = true, .max = 4),
    FIELD_TEXT(struct outer, as_user, .from = IN_CALLER, .max = 64, .omit_absent = true),
    FIELD_END,
};
static const struct fields outer_fields = FIELDS(outer_list, struct outer);

/* ---- a request and what comes of it ---- */

struct request {
    struct arena *arena;
    struct err err;
    struct outer outer;
    json_t *body;
};

static struct text key_header(void *key, const char *name)
{
    assert_string_equal(name, "Key");
    return text_of(key);
}

static int decode(struct request *r, const char *body, const char *count, const char *key)
{
    static const struct param path = {TEXT("id"), TEXT("p")};
    const struct param query = {TEXT("count"), text_of(count)};

    r->arena = arena_new();
    err_init(&r->err, r->arena);
    memset(&r->outer, 0, sizeof(r->outer));
    r->body = NULL;
    if (fields_parse_json(text_of(body), &r->body, &r->err) != 0)
        return -1;
    const struct field_source source = {
        .path = &path,
        .n_path = 1,
        .query = &query,
        .n_query = count ? 1 : 0,
        .header = key_header,
        .context = (void *)(uintptr_t)key,
        .as_user = TEXT("ann"),
        .body = r->body,
    };
    return fields_decode(&outer_fields, &source, r->arena, &r->outer, &r->err);
}

static void done(struct request *r)
{
    json_decref(r->body);
    arena_free(r->arena);
}

static void a_request_becomes_a_struct(void **state)
{
    struct request r;

    (void)state;
    assert_int_equal(
        decode(
            &r,
            "{\"name\":\"ab\",\"flag\":false,\"at\":\"1970-01-01T00:00:01Z\",\"map\":{\"a\":\"b\"},"
            "\"shapes\":[{\"type\":\"dot\"},{\"type\":\"circle\",\"radius\":1}],"
            "\"inner\":{\"word\":\"w\"},\"list\":[{\"word\":\"x\",\"number\":1}],"
            "\"words\":[\"v\",\"xyz\"]}",
            "3", "k"),
        0);
    assert_true(text_equal(r.outer.id, TEXT("p")));
    assert_true(text_equal(r.outer.name, TEXT("ab")));
    assert_true(text_equal(r.outer.colour, TEXT("red")));
    assert_true(text_equal(r.outer.key, TEXT("k")));
    assert_false(r.outer.flag);
    assert_int_equal(r.outer.count, 3);
    assert_int_equal(r.outer.at, 1000000);
    assert_int_equal(r.outer.inner.number, 7);
    assert_int_equal(r.outer.list.n_items, 1);
    assert_int_equal(((struct inner *)r.outer.list.items)[0].number, 1);
    assert_int_equal(json_array_size(r.outer.shapes), 2);
    assert_int_equal(r.outer.words.n_items, 2);
    assert_true(text_equal(((struct text *)r.outer.words.items)[1], TEXT("xyz")));
    assert_true(text_equal(r.outer.as_user, TEXT("ann")));
    done(&r);
}

static void what_is_absent_or_null_has_its_fallback(void **state)
{
    struct request r;

    (void)state;
    assert_int_equal(
        decode(&r, "{\"name\":\"ab\",\"colour\":null,\"inner\":{\"word\":\"w\"}}", NULL, NULL), 0);
    assert_true(text_equal(r.outer.colour, TEXT("red")));
    assert_true(r.outer.flag);
    assert_true(r.outer.count == FIELD_ABSENT);
    assert_true(r.outer.at == FIELD_ABSENT);
    assert_false(text_present(r.outer.key));
    assert_null(r.outer.map);
    done(&r);
}

static void every_wrong_field_is_named(void **state)
{
    static const struct {
        const char *body;
        const char *count;
        const char *key;
        const char *pointer;
        const char *detail;
    } cases[] = {
        {"{}", NULL, NULL, "/name", "is missing"},
        {"{\"name\":\"\"}", NULL, NULL, "/name", "must not be empty"},
        {"{\"name\":\"abcde\"}", NULL, NULL, "/name", "is longer than 4 bytes"},
        {"{\"name\":1}", NULL, NULL, "/name", "must be a string"},
        {"{\"name\":\"a\\n\"}", NULL, NULL, "/name", "holds a control character"},
        {"{\"name\":\"a\",\"nmae\":1}", NULL, NULL, "/nmae", "is not known here"},
        {"{\"name\":\"a\",\"colour\":\"blue\"}", NULL, NULL, "/colour",
         "must be one of: red, green"},
        {"{\"name\":\"a\",\"flag\":1}", NULL, NULL, "/flag", "must be true or false"},
        {"{\"name\":\"a\",\"at\":\"today\"}", NULL, NULL, "/at", "must be an RFC 3339 time"},
        {"{\"name\":\"a\",\"map\":{\"a\":1}}", NULL, NULL, "/map/a", "must be a string"},
        {"{\"name\":\"a\",\"map\":{\"a\":\"bcde\"}}", NULL, NULL, "/map/a", "is longer than 3"},
        {"{\"name\":\"a\",\"map\":{\"a\":\"\",\"b\":\"\",\"c\":\"\"}}", NULL, NULL, "/map",
         "more than 2"},
        {"{\"name\":\"a\",\"shapes\":[]}", NULL, NULL, "/shapes", "must have 1 to 2 members"},
        {"{\"name\":\"a\",\"shapes\":[{}]}", NULL, NULL, "/shapes/0/type", "is missing"},
        {"{\"name\":\"a\",\"shapes\":[{\"type\":\"box\"}]}", NULL, NULL, "/shapes/0/type",
         "no type"},
        {"{\"name\":\"a\",\"shapes\":[{\"type\":\"circle\",\"radius\":10}]}", NULL, NULL,
         "/shapes/0/radius", "must be from 0 to 9"},
        {"{\"name\":\"a\",\"shapes\":[{\"type\":\"dot\",\"size\":1}]}", NULL, NULL,
         "/shapes/0/size", "is not known here"},
        {"{\"name\":\"a\",\"inner\":{\"number\":1}}", NULL, NULL, "/inner/word", "is missing"},
        {"{\"name\":\"a\",\"inner\":{\"word\":\"w\",\"number\":11}}", NULL, NULL, "/inner/number",
         "must be from 0 to 10"},
        {"{\"name\":\"a\",\"list\":[{\"word\":\"w\"},{\"word\":\"123456\"}]}", NULL, NULL,
         "/list/1/word", "is longer"},
        {"{\"name\":\"a\",\"words\":[]}", NULL, NULL, "/words", "must have 1 to 2 members"},
        {"{\"name\":\"a\",\"words\":[\"v\",1]}", NULL, NULL, "/words/1", "must be a string"},
        {"{\"name\":\"a\",\"words\":[\"vwxy\"]}", NULL, NULL, "/words/0", "is longer than 3"},
        {"{\"name\":\"a\",\"as_user\":\"bob\"}", NULL, NULL, "/as_user", "is not known here"},
        {"{\"name\":\"a\"}", "0", NULL, "/count", "must be from 1 to 9"},
        {"{\"name\":\"a\"}", "1x", NULL, "/count", "must be a whole number"},
        {"{\"name\":\"a\"}", NULL, "a b", "/Key", "visible ASCII"},
    };
    struct request r;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(decode(&r, cases[i].body, cases[i].count, cases[i].key), -1);
        assert_int_equal(r.err.code, ERR_INVALID_REQUEST);
        assert_string_equal(r.err.fields->pointer, cases[i].pointer);
        assert_non_null(strstr(r.err.fields->detail, cases[i].detail));
        done(&r);
    }
}

static void all_wrong_fields_are_named_at_once(void **state)
{
    struct request r;

    (void)state;
    assert_int_equal(
        decode(&r, "{\"name\":7,\"flag\":\"x\",\"what\":1,\"inner\":{}}", "0", "\x01"), -1);
    assert_int_equal(r.err.n_fields, 6);
    done(&r);
}

static void json_that_is_hostile_is_refused(void **state)
{
    static const char *const bodies[] = {
        "",
        "[]",
        "1",
        "{",
        "{} x",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\xff\"}",
        "\xef\xbb\xbf{}",
        "{\"a\":1e999}",
        "{'a':1}",
        "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct err err;
        json_t *json;
        err_init(&err, arena);
        assert_int_equal(fields_parse_json(text_of(bodies[i]), &json, &err), -1);
        assert_int_equal(err.code, ERR_MALFORMED_JSON);
    }
    arena_free(arena);
}

static void what_is_wrong_is_absent(void **state)
{
    struct request r;

    (void)state;
    assert_int_equal(
        decode(
            &r,
            "{\"name\":\"abcde\",\"colour\":\"blue\",\"flag\":0,\"at\":\"today\",\"shapes\":5,"
            "\"inner\":{\"number\":11},\"words\":[]}",
            "10", "a b"),
        -1);
    assert_false(text_present(r.outer.name));
    assert_true(text_equal(r.outer.colour, TEXT("red")));
    assert_true(r.outer.flag);
    assert_true(r.outer.count == FIELD_ABSENT);
    assert_true(r.outer.at == FIELD_ABSENT);
    assert_null(r.outer.shapes);
    assert_false(text_present(r.outer.inner.word));
    assert_int_equal(r.outer.inner.number, 7);
    assert_null(r.outer.words.items);
    assert_false(text_present(r.outer.key));
    done(&r);
}

static void what_is_named_is_not_named_again(void **state)
{
    struct arena *arena = arena_new();
    struct err err;

    (void)state;
    err_init(&err, arena);
    err_field(&err, ERR_INVALID_REQUEST, "/to/users/1", "is too long");
    err_field(&err, ERR_BODY_TOO_LARGE, "/to/users/1", "is odd");
    err_field(&err, ERR_INVALID_REQUEST, "/to", "names nobody");
    assert_int_equal(err.n_fields, 1);
    assert_string_equal(err.fields->detail, "is too long");
    assert_true(err_names(&err, "/to/users"));
    assert_false(err_names(&err, "/to/users/11"));
    assert_false(err_names(&err, "/t"));
    err_field(&err, ERR_INVALID_REQUEST, "/to/users/11", "is too long");
    assert_int_equal(err.n_fields, 2);
    arena_free(arena);
}

struct singly {
    struct list list;
    struct list words;
};

static int check_inner(struct err *err, const char *pointer, const void *item)
{
    const struct inner *inner = item;

    if (!text_equal(inner->word, TEXT("odd")))
        return 0;
    return err_field(
        err, ERR_INVALID_REQUEST, arena_printf(err->arena, "%s/word", pointer), "is odd");
}

static const struct field singly_list[] = {
    FIELD_LIST(
        struct singly,
        list,
        .max = 10,
        .of = &inner_fields,
        .one_by_one = true,
        .check_item = check_inner),
    FIELD_TEXTS(struct singly, words, .max = 10, .max_value_bytes = 3, .one_by_one = true),
    FIELD_END,
};

static json_t *parsed(const char *body, struct err *err)
{
    json_t *json = NULL;

    assert_int_equal(fields_parse_json(text_of(body), &json, err), 0);
    return json;
}

static const struct fields singly_fields = FIELDS(singly_list, struct singly);

static void members_that_go_one_by_one_are_left_out(void **state)
{
    struct arena *arena = arena_new();
    struct singly in = {0};
    struct err err;

    (void)state;
    err_init(&err, arena);
    json_auto_t *body = parsed(
        "{\"list\":[5,{\"word\":\"w\"},{\"word\":\"w\",\"x\":1}],\"words\":[\"long\",\"a\",\"b\","
        "\"\"]}",
        &err);
    const struct field_source source = {.body = body};
    assert_int_equal(fields_decode(&singly_fields, &source, arena, &in, &err), 0);
    assert_int_equal(in.list.n_items, 1);
    assert_int_equal(((struct inner *)in.list.items)[0].number, 7);
    assert_int_equal(list_place(&in.list, 0), 1);
    assert_int_equal(in.list.n_left_out, 2);
    assert_string_equal(in.list.left_out->err.fields->pointer, "/list/0");
    assert_string_equal(in.list.left_out->next->err.fields->pointer, "/list/2/x");
    assert_int_equal(in.words.n_items, 2);
    assert_int_equal(list_place(&in.words, 1), 2);

    /* What a check finds wrong afterwards joins them in its place. */
    list_leave_out(&in.words, 0, sizeof(struct text), &in.list.left_out->err);
    assert_true(text_equal(*(struct text *)in.words.items, TEXT("b")));
    assert_int_equal(list_place(&in.words, 0), 2);
    assert_int_equal(in.words.left_out->next->place, 1);
    assert_int_equal(list_must_hold(&in.words, &err), 0);
    arena_free(arena);
}

static void rules_of_an_item_are_held_against_all_that_are_objects(void **state)
{
    struct arena *arena = arena_new();
    struct singly in = {0};
    struct err err;

    (void)state;
    err_init(&err, arena);
    json_auto_t *body = parsed(
        "{\"list\":[5,{\"word\":\"odd\"},{\"word\":\"w\"},{\"word\":\"odd\",\"number\":11},{}]}",
        &err);
    const struct field_source source = {.body = body};
    assert_int_equal(fields_decode(&singly_fields, &source, arena, &in, &err), 0);
    assert_int_equal(in.list.n_items, 1);
    assert_int_equal(list_place(&in.list, 0), 2);
    fields_name_left_out(&singly_fields, &in, &err);
    static const char *const pointers[] = {
        "/list/0", "/list/1/word", "/list/3/number", "/list/3/word", "/list/4/word"};
    const struct err_field *field = err.fields;
    for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++, field = field->next)
        assert_string_equal(field->pointer, pointers[i]);
    assert_null(field);
    arena_free(arena);
}

static void where_all_members_are_wrong_the_request_is(void **state)
{
    struct arena *arena = arena_new();
    struct singly in = {0};
    struct err err;

    (void)state;
    err_init(&err, arena);
    json_auto_t *body = parsed("{\"list\":[5],\"words\":[1,\"long\"]}", &err);
    const struct field_source source = {.body = body};
    assert_int_equal(fields_decode(&singly_fields, &source, arena, &in, &err), -1);
    assert_int_equal(err.n_fields, 3);
    assert_string_equal(err.fields->pointer, "/list/0");
    assert_string_equal(err.fields->next->pointer, "/words/0");
    assert_string_equal(err.fields->next->next->pointer, "/words/1");
    arena_free(arena);
}

static void a_struct_becomes_json(void **state)
{
    struct inner items[] = {{TEXT("a"), 1}, {TEXT_ABSENT, FIELD_ABSENT}};
    struct outer outer = {
        .id = TEXT("i"),
        .name = TEXT("n\"\n"),
        .flag = true,
        .count = FIELD_ABSENT,
        .at = 1000,
        .list = {.items = items, .n_items = 2},
    };

    (void)state;
    buf_auto written = BUF(4096);
    fields_encode(&outer_fields, &outer, &written);
    buf_char(&written, '\0');
    assert_string_equal(
        written.ptr, "{\"name\":\"n\\\"\\n\",\"colour\":null,\"flag\":true,"
                     "\"at\":\"1970-01-01T00:00:00.001Z\",\"map\":null,\"shapes\":null,"
                     "\"inner\":{\"word\":null,\"number\":0},"
                     "\"list\":[{\"word\":\"a\",\"number\":1},{\"word\":null,\"number\":null}]}");
}

static void what_is_absent_may_be_left_out(void **state)
{
    static const struct field left_out[] = {
        FIELD_TEXT(struct outer, name, .omit_absent = true),
        FIELD_INT(struct outer, count, .omit_absent = true),
        FIELD_OBJECT(struct outer, inner, struct inner, .of = &inner_fields, .omit_absent = true),
        FIELD_TEXTS(struct outer, words, .omit_absent = true),
        FIELD_END,
    };
    const struct fields fields = FIELDS(left_out, struct outer);
    struct text words[] = {TEXT("v"), TEXT("\"")};
    struct outer outer = {.count = FIELD_ABSENT};

    (void)state;
    buf_auto written = BUF(4096);
    fields_encode(&fields, &outer, &written);
    outer.inner.word = TEXT("w");
    outer.words = (struct list){.items = words, .n_items = 2};
    fields_encode(&fields, &outer, &written);
    buf_char(&written, '\0');
    assert_string_equal(
        written.ptr, "{}{\"inner\":{\"word\":\"w\",\"number\":0},\"words\":[\"v\",\"\\\"\"]}");
}

static void an_object_may_be_spread_among_the_members(void **state)
{
    static const struct field spread[] = {
        FIELD_TEXT(struct outer, name),
        FIELD_RAW(struct outer, key, .spread = true),
        FIELD_INT(struct outer, count),
        FIELD_END,
    };
    const struct fields fields = FIELDS(spread, struct outer);
    struct outer outer = {.name = TEXT("n"), .key = TEXT("{\"a\":1,\"b\":[{}]}"), .count = 2};

    (void)state;
    buf_auto written = BUF(4096);
    fields_encode(&fields, &outer, &written);
    buf_char(&written, '\0');
    assert_string_equal(written.ptr, "{\"name\":\"n\",\"a\":1,\"b\":[{}],\"count\":2}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_becomes_a_struct),
        cmocka_unit_test(what_is_absent_or_null_has_its_fallback),
        cmocka_unit_test(every_wrong_field_is_named),
        cmocka_unit_test(all_wrong_fields_are_named_at_once),
        cmocka_unit_test(json_that_is_hostile_is_refused),
        cmocka_unit_test(what_is_wrong_is_absent),
        cmocka_unit_test(what_is_named_is_not_named_again),
        cmocka_unit_test(members_that_go_one_by_one_are_left_out),
        cmocka_unit_test(rules_of_an_item_are_held_against_all_that_are_objects),
        cmocka_unit_test(where_all_members_are_wrong_the_request_is),
        cmocka_unit_test(a_struct_becomes_json),
        cmocka_unit_test(what_is_absent_may_be_left_out),
        cmocka_unit_test(an_object_may_be_spread_among_the_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
