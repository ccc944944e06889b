/* The second face: requests as SDKs of Tencent's IM service send them, POST
 * /v4/{service}/{command}.
 *
 * It decodes them, calls the operations of /v1, and encodes their results; no rule lives here. It
 * is off unless an app id and a key are set. */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "base/caller.h"
#include "base/err.h"
#include "base/op.h"
#include "base/settings.h"
#include "http/router.h"

struct v4;

/* -1 with one sentence in `why` when the settings do not fit each other. *ret is there also when
 * /v4 is off: it says so then. */
int v4_new(const struct settings *borrows, struct v4 **ret, char *why, size_t why_size);
void v4_free(struct v4 *v4);

/* Whether the target is a command of this face: whatever is wrong with the request, it is answered
 * as SDKs expect. Files are fetched by other programs, which look at the status. */
bool v4_claims(struct text target);

/* Who asks, by the UserSig of the query: an administrator, or -1. Looks at no database. */
int v4_authenticate(
    struct v4 *v4,
    const struct match *match,
    struct text address,
    struct arena *arena,
    struct caller *ret,
    struct err *err);

/* The one operation behind all commands, and the one that serves what get_history links to. */
extern const struct operation v4_call, v4_file;

/* The answer to what failed; malloced. */
char *v4_error_body(const struct err *err);

/* The tables, as `duetd routes` prints them. A new reference. */
json_t *v4_describe(void);
