/* Who is asking: what a verified token says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

enum scope {
#define SCOPE(name, text) SCOPE_##name,
#include "base/scopes.def"
#undef SCOPE
    SCOPES,
    SCOPE_PUBLIC,  /* of a route: no token is asked for */
    SCOPE_USERSIG, /* of a route: the query is signed, as /v4 has it */
};

struct caller {
    struct text subject;
    struct text device;    /* of a user token that was made for one device alone, else absent */
    struct text key_id;    /* `kid` of the key that the token was signed with */
    uint32_t scopes;       /* bit (1 << enum scope) each */
    int64_t issued_at_us;  /* 0: the token does not say */
    int64_t expires_at_us; /* the token's own exp, without leeway */
    bool revocable;        /* no token of a user, but void all the same when the user is kicked */
};

static inline bool caller_has(const struct caller *caller, enum scope scope)
{
    return caller->scopes & (1u << scope);
}

/* A token of the app user in `subject`, not of a back-end service. */
static inline bool caller_is_user(const struct caller *caller)
{
    return caller_has(caller, SCOPE_USER);
}

/* A back-end token that allows `scope`. */
static inline bool caller_allows(const struct caller *caller, enum scope scope)
{
    return !caller_is_user(caller) &&
           (caller_has(caller, SCOPE_ADMIN) || caller_has(caller, scope));
}

/* Whose idempotency keys a request goes by: an app user and a service may have one name, and have
 * keys of their own. No subject holds a control character. */
struct text caller_of_keys(const struct caller *caller, struct arena *arena);

const char *scope_text(enum scope scope); /* "messages:read"; "public" for SCOPE_PUBLIC */
bool scope_from_text(struct text t, enum scope *ret);
