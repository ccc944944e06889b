/* Tokens against one HS256 and one RS256 key.
 *
 * Input that begins with '!' is a header, a newline and a payload; it is signed here, so that
 * what stands behind the signature is reached. Any other input is the token itself: those in the
 * corpus were signed with these keys. */
#include "http/token.h"

#include "base/clock.h"
#include "base/log.h"
#include "token_testing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1800000000)

static const char secret[] = "a secret that only this fuzzer has";

static const char rsa[] = "-----BEGIN PUBLIC KEY-----\\n"
                          "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzVkQ6YU2s86d83bAYq0D\\n"
                          "LybivHOvEFBSo8+YB/12tVd1zvklT3of3OLgUTxF0a/TuJ+ukExLKSRb5fTx/o9j\\n"
                          "/GPh9jL9mMYF3JJu9bFHjLegbjsLoLUuZuQ7A4+x5MTalAC0jV3jyddiOv1S2jNr\\n"
                          "Pnx/m9pBWVfLeD2nXNCgUOfpMPe5HnBJD0Qak/C1Xe5PdkFHw4vW6oUNMY5J0v0+\\n"
                          "5JOeR6OJeCU/cgixzyXwPQXxKsu+KOz8KBQq2YCX/aiaE3IiPBV2MxSxcAuLNaxr\\n"
                          "Ev2engaxX5kpVL7xHSiX5nU/UX5Uo7rFu/+vFMVdZOHzKJBvV5QFrpjejsEvShlr\\n"
                          "nwIDAQAB\\n"
                          "-----END PUBLIC KEY-----\\n";

static int64_t fixed_clock(void)
{
    return NOW * USEC_PER_SEC;
}

static struct tokens *tokens_new_once(void)
{
    static struct tokens *tokens;
    struct keys *keys = NULL;
    char path[32], why[512];

    if (tokens)
        return tokens;
    log_start(LOG_ERROR); /* a line for each refusal would be all that is seen */
    log_stop();
    struct arena *arena = arena_new();
    testing_write(
        path, arena_printf(
                  arena,
                  "{\"keys\":[{\"kid\":\"h1\",\"alg\":\"HS256\",\"secret\":\"%s\"},"
                  "{\"kid\":\"r1\",\"alg\":\"RS256\",\"public_key\":\"%s\"}]}",
                  testing_base64url(arena, secret, sizeof(secret) - 1), rsa));
    arena_free(arena);
    if (keys_load(path, &keys, why, sizeof(why)) != 0)
        abort();
    unlink(path);
    tokens = tokens_new(keys, NULL, NULL, 64);
    tokens_set_clock(tokens, fixed_clock);
    return tokens;
}

static struct text sign(struct arena *arena, struct text payload)
{
    struct text header = text_cut(&payload, '\n');
    const char *text = arena_printf(
        arena, "%s.%s", testing_base64url(arena, header.ptr, header.len),
        testing_base64url(arena, payload.ptr, payload.len));
    struct text signature = testing_hmac(arena, secret, sizeof(secret) - 1, text);

    return text_of(
        arena_printf(arena, "%s.%s", text, testing_base64url(arena, signature.ptr, signature.len)));
}

static void require(bool held)
{
    if (!held)
        abort();
}

/* What everything behind it relies on. */
static void require_good(const struct caller *caller)
{
    require(caller->subject.len >= 1 && caller->subject.len <= 64);
    require(text_is_utf8(caller->subject) && !text_has_control(caller->subject));
    require(caller->scopes != 0 && caller->scopes < 1u << SCOPES);
    require(!caller_is_user(caller) || caller->scopes == 1u << SCOPE_USER);
    require(caller->expires_at_us + TOKEN_LEEWAY_SECONDS * USEC_PER_SEC > fixed_clock());
    require(caller->issued_at_us >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokens *tokens = tokens_new_once();
    struct text token = {(const char *)data, size};
    struct arena *arena = arena_new();
    struct caller caller;
    struct err err;

    if (size > 0 && data[0] == '!')
        token = sign(arena, (struct text){token.ptr + 1, size - 1});
    err_init(&err, arena);
    if (token_verify(tokens, token, arena, &caller, &err) == 0)
        require_good(&caller);
    else
        require(err.code == ERR_UNAUTHENTICATED && !err.detail);
    arena_free(arena);
    return 0;
}
