/* What went wrong, as the client will see it.
 *
 * What can fail returns 0, or -1 with *err filled. err_set and err_field return -1, so that a
 * failing path is one line. SQL text and library messages never enter an err: they go to the log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

enum err_code {
    ERR_NONE = 0,
#define ERR(name, status, code, title) ERR_##name,
#include "base/errors.def"
#undef ERR
    ERR_CODES
};

struct err_info {
    int status;        /* HTTP */
    const char *code;  /* stable snake_case; also the name of the outcome in SQL */
    const char *title; /* fixed sentence */
};

/* Whether a write that failed may have been applied all the same. */
enum err_outcome { ERR_NOT_APPLIED, ERR_OUTCOME_UNKNOWN };

/* One wrong field. */
struct err_field {
    const char *pointer; /* JSON pointer into the body; "/name" for path, query and header fields */
    const char *detail;
    struct err_field *next;
};

struct err {
    struct arena *arena; /* borrowed: where details are kept */
    enum err_code code;
    const char *detail; /* one short clause in lower case, or NULL */
    struct err_field *fields;
    struct err_field **last_field;
    size_t n_fields;
    enum err_outcome outcome;
    int number; /* what /v4 calls it, where it tells more than `code`; else 0 */
};

void err_init(struct err *err, struct arena *arena);
/* Without a detail: the title says it all. */
int err_plain(struct err *err, enum err_code code);
int err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What an SQL function has refused with. */
int err_outcome(struct err *err, struct text outcome);
/* Adds a wrong field; the code becomes that of the first. At most ERR_FIELDS_MAX are kept. One that
 * is named already is not named again: what stands there is wrong, and nothing more is known of it.
 */
int err_field(struct err *err, enum err_code code, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define ERR_FIELDS_MAX 32
/* Whether the field, or something in it, is named as wrong. */
bool err_names(const struct err *err, const char *pointer);

const struct err_info *err_info(enum err_code code);
/* ERR_NONE when no error has this code. */
enum err_code err_from_code(struct text code);
/* Asking again later may succeed: overload, time-outs, a database that is away. */
bool err_is_transient(enum err_code code);
