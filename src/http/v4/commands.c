#include "http/v4/state.h"

#define COMMAND(service, name, family, work, operations) extern const struct v4_work work;
#include "commands.def"
#undef COMMAND

const struct v4_command v4_commands[] = {
#define COMMAND(service, name, family, work, operations)                                           \
    {service, name, V4_##family, operations, &work},
#include "commands.def"
#undef COMMAND
};

const size_t v4_n_commands = sizeof(v4_commands) / sizeof(v4_commands[0]);

const struct v4_command *v4_find_command(struct text service, struct text name)
{
    for (size_t i = 0; i < v4_n_commands; i++)
        if (text_equal(service, text_of(v4_commands[i].service)) &&
            text_equal(name, text_of(v4_commands[i].name)))
            return &v4_commands[i];
    return NULL;
}

/* ---- as `duetd routes` prints them ---- */

static const char *const kind_names[] = {
    [V4_END] = "end",       [V4_TEXT] = "text",     [V4_INT] = "int",   [V4_NUMBER] = "number",
    [V4_TEXTS] = "texts",   [V4_OBJECT] = "object", [V4_LIST] = "list", [V4_MAP] = "map",
    [V4_BODY] = "elements", [V4_ANY] = "any",
};

static json_t *describe_fields(const struct v4_field *fields)
{
    json_t *array = json_array();

    for (const struct v4_field *field = fields; field->kind; field++) {
        json_t *object = json_pack(
            "{s:s, s:s, s:b, s:s*}", "name", field->name, "kind", kind_names[field->kind],
            "required", field->required, "also", field->also);
        if (field->code)
            json_object_set_new(object, "code", json_integer(field->code));
        if (field->limit_code)
            json_object_set_new(object, "limit_code", json_integer(field->limit_code));
        if (field->max)
            json_object_set_new(object, "max", json_integer(field->max));
        if (field->of)
            json_object_set_new(object, "fields", describe_fields(field->of));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *describe_operations(const char *operations)
{
    json_t *array = json_array();
    struct text rest = text_of(operations);

    while (text_present(rest) && rest.len)
        json_array_append_new(array, v4_json_text(text_cut(&rest, ' ')));
    return array;
}

json_t *v4_describe(void)
{
    json_t *array = json_array();

    for (size_t i = 0; i < v4_n_commands; i++) {
        const struct v4_command *command = &v4_commands[i];
        json_array_append_new(
            array,
            json_pack(
                "{s:s, s:s, s:o, s:o, s:o}", "service", command->service, "command", command->name,
                "operations", describe_operations(command->operations), "in",
                describe_fields(command->work->in), "out", describe_fields(command->work->out)));
    }
    return array;
}
