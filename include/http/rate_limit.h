/* How many requests each caller may make, whatever becomes of them.
 *
 * A caller may make `burst` requests at once, and gets one back 1/per_second later, up to `burst`
 * again. Of each caller one instant is kept: when all requests will be back (GCRA, the generic cell
 * rate algorithm). A caller whose instant has passed needs no entry.
 *
 * Bounded: a full set of the table gives up the entry that would be free next, and that caller
 * starts anew; nobody is held to less than the policy says. Each process counts for itself.
 * Thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Callers of one name and different kinds are different callers. */
enum rate_kind { RATE_USER, RATE_BACKEND, RATE_KINDS };

struct rate_policy {
    int64_t per_second; /* 0: no limit */
    int64_t burst;
};

/* What a caller is told of its limit. */
struct rate_state {
    const char *policy; /* RateLimit-Policy, as long as the limits live; NULL: there is no limit */
    const char *name;   /* of the policy */
    int64_t remaining;  /* requests that may be made now */
    int64_t full_in_s;  /* whole seconds, rounded up, until all are back */
};

struct rate_limit;

struct rate_limit *rate_limit_new(const struct rate_policy policies[RATE_KINDS], size_t n_entries);
void rate_limit_free(struct rate_limit *limits);

/* Counts a request. False when there is none left: it is not to be done, and was not counted; one
 * second later there is one, for policies are of whole requests a second. `now_us` is monotonic. */
bool rate_limit_take(
    struct rate_limit *limits,
    enum rate_kind kind,
    struct text subject,
    int64_t now_us,
    struct rate_state *ret);
