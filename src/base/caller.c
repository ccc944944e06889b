#include "base/caller.h"

#include <stddef.h>

static const char *const names[SCOPES] = {
#define SCOPE(name, text) [SCOPE_##name] = (text),
#include "base/scopes.def"
#undef SCOPE
};

struct text caller_of_keys(const struct caller *caller, struct arena *arena)
{
    if (!caller_is_user(caller))
        return caller->subject;
    return text_of(arena_printf(arena, "user\x1f%.*s", TEXT_ARG(caller->subject)));
}

const char *scope_text(enum scope scope)
{
    return scope < SCOPES ? names[scope] : "public";
}

bool scope_from_text(struct text t, enum scope *ret)
{
    for (size_t i = 0; i < SCOPES; i++) {
        if (!text_equal(t, text_of(names[i])))
            continue;
        *ret = (enum scope)i;
        return true;
    }
    return false;
}
