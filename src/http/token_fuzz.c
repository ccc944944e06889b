/* Any bytes as a token, against one HS256 and one RS256 key.
 *
 * The corpus holds tokens that these keys have signed. Nothing but a byte-for-byte equal one of them
 * can be good, for the fuzzer knows no secret: whatever else is taken is a forgery. A first byte '!'
 * asks to sign what follows, up to its last point, so that the claims are reached as well. */
#include "http/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "token_testing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1800000000)

static const char key_file[] =
    "{\"keys\":[{\"kid\":\"h1\",\"alg\":\"HS256\","
    "\"secret\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"},"
    "{\"kid\":\"r1\",\"alg\":\"RS256\",\"public_key\":\"@RSA@\"}]}";

static int64_t fixed_clock(void)
{
    return NOW * USEC_PER_SEC;
}

static struct tokens *tokens_once(void)
{
    static struct tokens *tokens;
    struct keys *keys = NULL;
    char path[32], why[512];

    if (tokens)
        return tokens;
    testing_write(path, key_file);
    if (keys_load(path, &keys, why, sizeof(why))) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
    unlink(path);
    tokens = tokens_new(keys, NULL, NULL, 64);
    tokens_set_clock(tokens, fixed_clock);
    log_start_quiet();
    return tokens;
}
