/* What operations work with. One of these lives as long as the server. */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "base/op.h"
#include "base/settings.h"
#include "store/store.h"

struct services {
    const struct settings *settings;
    struct store *store;
    struct metrics *metrics;
    struct v4 *v4;                             /* of the second face, src/http/v4 */
    const struct operation *const *operations; /* by op->index; not NULL-terminated */
    size_t n_operations;
    atomic_bool stopping;
    int64_t started_at_us;

    /* A token for the devices of an app user; -1 when there is no key to sign with. Thread-safe. */
    int (*sign_user_token)(
        void *signer,
        struct text user,
        struct text device, /* absent: any */
        int64_t issued_at_us,
        int64_t expires_in_s,
        struct buf *ret,
        int64_t *ret_expires_at_us);
    void *signer;
};
