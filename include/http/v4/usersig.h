/* UserSig (TLSSigAPIv2): what signs a request of /v4.
 *
 * Four lines (identifier, app, time, life) under HMAC-SHA256 with the app's key, in a JSON object,
 * under zlib, in base64 with three characters replaced. Whoever verifies one has bounded its
 * inflated size before, and compares in constant time. */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/text.h"

#define USERSIG_TEXT_BYTES 4096 /* as it stands in the query */
#define USERSIG_JSON_BYTES 4096 /* inflated */
/* By which the clock of whoever signs may be ahead: a signature of tomorrow would outlive a kick.
 */
#define USERSIG_LEEWAY_SECONDS 300

struct usersig {
    struct text identifier;
    int64_t app_id;
    int64_t made_at_s; /* Unix seconds */
    int64_t expires_in_s;
};

/* 0, or the ErrorCode of what is wrong: 70002 empty, 70003 malformed, 70009 does not verify, 70001
 * expired. Whose it is, and of which app, is for the caller to compare. *ret lives in the arena. */
int usersig_verify(
    struct text usersig, struct text key, int64_t now_s, struct arena *arena, struct usersig *ret);

/* Appends one that usersig_verify takes. -1 when it is too long. */
int usersig_make(const struct usersig *of, struct text key, struct buf *ret);
