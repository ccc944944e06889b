#include "http/v4/errors.h"

enum kind { INVALID, USER, BUSY, BROKEN, JSON, KINDS, OWN = KINDS };

static const int family_numbers[V4_FAMILIES][KINDS] = {
#define FAMILY(name, invalid, user, busy, broken, json)                                            \
    [V4_##name] = {invalid, user, busy, broken, json},
#define ERROR(name, kind, number)
#define NUMBER(number, name)
#include "http/v4/errors.def"
#undef FAMILY
#undef ERROR
#undef NUMBER
};

static const struct {
    enum kind kind;
    int number;
} errors[ERR_CODES] = {
#define FAMILY(name, invalid, user, busy, broken, json)
#define ERROR(name, kind, number) [ERR_##name] = {kind, number},
#define NUMBER(number, name)
#include "http/v4/errors.def"
#undef FAMILY
#undef ERROR
#undef NUMBER
};

static const struct {
    int number;
    enum err_code code;
} numbers[] = {
#define FAMILY(name, invalid, user, busy, broken, json)
#define ERROR(name, kind, number)
#define NUMBER(number, name) {number, ERR_##name},
#include "http/v4/errors.def"
#undef FAMILY
#undef ERROR
#undef NUMBER
};

int v4_number(enum v4_family family, enum err_code code)
{
    return errors[code].kind == OWN ? errors[code].number
                                    : family_numbers[family][errors[code].kind];
}

enum err_code v4_code(int number)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (numbers[i].number == number)
            return numbers[i].code;
    for (int code = ERR_NONE + 1; code < ERR_CODES; code++)
        for (int family = 0; family < V4_FAMILIES; family++)
            if (v4_number((enum v4_family)family, (enum err_code)code) == number)
                return (enum err_code)code;
    return ERR_NONE;
}
