/* Bearer tokens: JSON Web Tokens (RFC 7519), signed with one of the keys of http/keys.h.
 *
 * A good token has `sub`, `scope` and `exp`; `nbf`, `iat`, `iss` and `aud` are honoured. A
 * client whose token is refused learns nothing of the reason; the log has it, in the event
 * "token_refused". */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/caller.h"
#include "base/err.h"
#include "base/text.h"
#include "http/keys.h"

#define TOKEN_MIN_BYTES 20
#define TOKEN_MAX_BYTES 4096
#define TOKEN_LEEWAY_SECONDS 30 /* by which the clocks of issuer and server may differ */

/* Verifies tokens; remembers those that were good. Thread-safe. */
struct tokens;

/* Borrows issuer and audience for its life; NULL or empty: any issuer, no audience. */
struct tokens *tokens_new(
    struct keys *takes, const char *issuer, const char *audience, size_t cache_entries);
void tokens_free(struct tokens *tokens);

/* From now on these keys count; what was found good with the old ones is forgotten. */
void tokens_replace_keys(struct tokens *tokens, struct keys *takes);

/* For tests: reads the time, microseconds since 1970, from elsewhere. Before any other thread. */
void tokens_set_clock(struct tokens *tokens, int64_t (*now_us)(void));

/* The token of `Authorization: Bearer <token>`; absent where the header is anything else. */
struct text token_of_authorization(struct text header);

/* ERR_UNAUTHENTICATED without a detail; the reason is logged. The subject lives in the arena. */
int token_verify(
    struct tokens *tokens,
    struct text token,
    struct arena *arena,
    struct caller *ret,
    struct err *err);

/* Signs a token that token_verify takes. -1 with one sentence in `why`. */
int token_sign(
    struct keys *keys,
    struct text subject,
    struct text scope,
    int64_t expires_in_s,
    const char *issuer,
    const char *audience,
    struct buf *ret,
    char *why,
    size_t why_size);

/* Signs a token of an app user that these tokens take. -1 when it cannot be, with the reason
 * logged. */
int tokens_sign_user(
    struct tokens *tokens,
    struct text user,
    struct text device, /* the only one that may use it; absent: any */
    int64_t issued_at_us,
    int64_t expires_in_s,
    struct buf *ret,
    int64_t *ret_expires_at_us);
