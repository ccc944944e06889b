#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct err_info infos[ERR_CODES] = {
    [ERR_NONE] = {200, "ok", ""},
#define ERR(name, status, code, title) [ERR_##name] = {status, code, title},
#include "base/errors.def"
#undef ERR
};

void err_init(struct err *err, struct arena *arena)
{
    *err = (struct err){.arena = arena, .last_field = NULL};
}

__attribute__((format(printf, 2, 0))) static const char *detail_text(
    struct err *err, const char *format, va_list args)
{
    char detail[512];

    vsnprintf(detail, sizeof(detail), format, args);
    return arena_text(err->arena, text_whole_characters(text_of(detail))).ptr;
}

int err_plain(struct err *err, enum err_code code)
{
    err->code = code;
    err->detail = NULL;
    return -1;
}

int err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;

    err->code = code;
    va_start(args, format);
    err->detail = detail_text(err, format, args);
    va_end(args);
    return -1;
}

bool err_names(const struct err *err, const char *pointer)
{
    size_t len = strlen(pointer);

    for (const struct err_field *field = err->fields; field; field = field->next)
        if (strncmp(field->pointer, pointer, len) == 0 &&
            (field->pointer[len] == '\0' || field->pointer[len] == '/'))
            return true;
    return false;
}

int err_field(struct err *err, enum err_code code, const char *pointer, const char *format, ...)
{
    va_list args;

    if (err_names(err, pointer))
        return -1;
    if (err->code == ERR_NONE)
        err->code = code;
    if (err->n_fields++ >= ERR_FIELDS_MAX)
        return -1;
    struct err_field *field = arena_alloc(err->arena, sizeof(*field));
    field->pointer = arena_text(err->arena, text_of(pointer)).ptr;
    va_start(args, format);
    field->detail = detail_text(err, format, args);
    va_end(args);
    if (!err->last_field)
        err->last_field = &err->fields;
    *err->last_field = field;
    err->last_field = &field->next;
    return -1;
}

const struct err_info *err_info(enum err_code code)
{
    return &infos[code];
}

enum err_code err_from_code(struct text code)
{
    for (int i = ERR_NONE + 1; i < ERR_CODES; i++)
        if (text_equal(code, text_of(infos[i].code)))
            return (enum err_code)i;
    return ERR_NONE;
}

/* A token that was good but for that has a signature that is: whoever has it may know why. */
int err_outcome(struct err *err, struct text outcome)
{
    enum err_code code = err_from_code(outcome);

    if (code == ERR_UNAUTHENTICATED)
        return err_set(err, code, "the token is older than the end of its session");
    return err_plain(err, code ? code : ERR_INTERNAL);
}

bool err_is_transient(enum err_code code)
{
    int status = infos[code].status;

    return status == 503 || status == 429 || code == ERR_IDEMPOTENCY_KEY_IN_USE;
}
