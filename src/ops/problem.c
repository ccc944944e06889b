#include "ops/problem.h"

#include <stdlib.h>

#include "store/call.h"

/* The result of one item: its slots in the table of results. */
struct result {
    char *record;
    const struct fields *table;
};

static void *slot_of(const struct result *result, const char *name)
{
    const struct field *field = field_named(result->table, name);

    return field ? result->record + field->offset : NULL;
}

static json_t *errors_of(const struct err *err)
{
    json_t *errors = json_array();

    for (const struct err_field *field = err->fields; field; field = field->next)
        json_array_append_new(
            errors, json_pack("{s:s, s:s}", "pointer", field->pointer, "detail", field->detail));
    return errors;
}

static void write_problem(struct arena *arena, const struct result *result, const struct err *err)
{
    const struct err_info *info = err_info(err->code);
    json_t *problem = json_pack(
        "{s:o, s:s, s:i, s:s}", "type", json_sprintf("/problems/%s", info->code), "title",
        info->title, "status", info->status, "code", info->code);

    if (err->fields)
        json_object_set_new(problem, "errors", errors_of(err));
    char *text = json_dumps(problem, JSON_COMPACT);
    *(struct text *)slot_of(result, "problem") = arena_text(arena, text_of(text));
    if (slot_of(result, "status"))
        *(int64_t *)slot_of(result, "status") = info->status;
    free(text);
    json_decref(problem);
}

static void tell_row(struct arena *arena, const struct result *result)
{
    struct text code = *(struct text *)slot_of(result, "problem");
    enum err_code known = err_from_code(code);
    const struct err err = {.code = known ? known : ERR_INTERNAL};

    if (text_present(code))
        write_problem(arena, result, &err);
}

static void name_result(const struct result *result, const char *key, const json_t *item)
{
    const json_t *name = json_is_object(item) ? json_object_get(item, key) : item;

    /* The text is the body's, which lives as long as the request. */
    *(struct text *)slot_of(result, key) =
        json_is_string(name) ? (struct text){json_string_value(name), json_string_length(name)}
                             : TEXT("");
}

void problem_tell(struct op *op, const char *in_list, const char *key)
{
    const struct field *in = field_named(&op->operation->in, in_list);
    const struct field *out = field_named(&op->operation->out, "results");
    const struct list *asked = (const struct list *)(const void *)((char *)op->in + in->offset);
    struct list *results = (struct list *)(void *)((char *)op->out + out->offset);
    size_t n = results->n_items + asked->n_left_out;
    char *all = arena_alloc(op->arena, n * out->of->size);

    for (size_t i = 0; i < results->n_items; i++) {
        struct result result = {all + list_place(asked, i) * out->of->size, out->of};
        memcpy(result.record, (char *)results->items + i * out->of->size, out->of->size);
        tell_row(op->arena, &result);
    }
    for (const struct left_out *left = asked->left_out; left; left = left->next) {
        struct result result = {all + left->place * out->of->size, out->of};
        write_problem(op->arena, &result, &left->err);
        if (key)
            name_result(
                &result, key, json_array_get(json_object_get(op->body, in_list), left->place));
    }
    *results = (struct list){.items = all, .n_items = n};
}
