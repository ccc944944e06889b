/* What an error of /v1 is called in /v4, and the reverse; the table is src/http/v4/errors.def. */
#pragma once

#include "base/err.h"

/* Services that share their numbers. */
enum v4_family {
#define FAMILY(name, invalid, user, busy, broken, json) V4_##name,
#define ERROR(name, kind, number)
#define NUMBER(number, name)
#include "http/v4/errors.def"
#undef FAMILY
#undef ERROR
#undef NUMBER
    V4_FAMILIES
};

/* The ErrorCode of an error. */
int v4_number(enum v4_family family, enum err_code code);
/* What an ErrorCode means in /v1; ERR_NONE when /v4 never answers with it. */
enum err_code v4_code(int number);
