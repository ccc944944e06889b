#include "http/token.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/token_cache.h"
#include "token_testing.h"

#define NOW INT64_C(1800000000)
#define SECRET_BYTES 32

enum signer {
    BY_H1,         /* HS256, in the key file */
    BY_H2,         /* HS256, in the key file, named h2 */
    BY_R1,         /* RS256, in the key file */
    BY_E1,         /* ES256, in the key file */
    BY_RETIRED,    /* HS256, not in the key file */
    BY_EMPTY_KEY,  /* HMAC with no bytes */
    BY_ZERO_KEY,   /* HMAC with 32 zero bytes */
    BY_RSA_PEM,    /* HMAC with what everybody knows: the public key */
    BY_RSA_PEM_NL, /* the same without its last newline */
    BY_RSA_DER,
    BY_EC_PEM,
    BY_EC_PEM_NL,
    BY_EC_DER,
    BY_OTHER_RSA,
    BY_OTHER_EC,
    BY_P384,
    BY_R1_SHA512,
    BY_E1_DER, /* the signature in DER, not as two numbers */
    BY_NOBODY, /* no signature */
};

static struct {
    struct arena *arena;
    EVP_PKEY *rsa, *ec, *other_rsa, *other_ec, *p384;
    unsigned char secret[3][SECRET_BYTES];
    const char *key_file; /* all keys but the retired one */
    struct tokens *tokens;
    int64_t now_us;
    int log; /* a file in memory: standard error while a token is verified */
} fixture;

static int64_t test_clock(void)
{
    return fixture.now_us;
}

/* ---- making tokens ---- */

static struct text hmac_with_public(EVP_PKEY *key, bool as_pem, size_t cut, const char *text)
{
    struct text public = testing_public(fixture.arena, key, as_pem);

    return testing_hmac(fixture.arena, public.ptr, public.len - cut, text);
}

static struct text sign_ec(EVP_PKEY *key, const EVP_MD *md, int number_size, const char *text)
{
    return testing_ec_raw(fixture.arena, testing_sign(fixture.arena, key, md, text), number_size);
}

static struct text sign(enum signer signer, const char *text)
{
    static const unsigned char zeros[SECRET_BYTES];
    struct arena *arena = fixture.arena;

    switch (signer) {
    case BY_H1:
        return testing_hmac(arena, fixture.secret[0], SECRET_BYTES, text);
    case BY_H2:
        return testing_hmac(arena, fixture.secret[1], SECRET_BYTES, text);
    case BY_RETIRED:
        return testing_hmac(arena, fixture.secret[2], SECRET_BYTES, text);
    case BY_EMPTY_KEY:
        return testing_hmac(arena, zeros, 0, text);
    case BY_ZERO_KEY:
        return testing_hmac(arena, zeros, SECRET_BYTES, text);
    case BY_RSA_PEM:
        return hmac_with_public(fixture.rsa, true, 0, text);
    case BY_RSA_PEM_NL:
        return hmac_with_public(fixture.rsa, true, 1, text);
    case BY_RSA_DER:
        return hmac_with_public(fixture.rsa, false, 0, text);
    case BY_EC_PEM:
        return hmac_with_public(fixture.ec, true, 0, text);
    case BY_EC_PEM_NL:
        return hmac_with_public(fixture.ec, true, 1, text);
    case BY_EC_DER:
        return hmac_with_public(fixture.ec, false, 0, text);
    case BY_R1:
        return testing_sign(arena, fixture.rsa, EVP_sha256(), text);
    case BY_R1_SHA512:
        return testing_sign(arena, fixture.rsa, EVP_sha512(), text);
    case BY_OTHER_RSA:
        return testing_sign(arena, fixture.other_rsa, EVP_sha256(), text);
    case BY_E1:
        return sign_ec(fixture.ec, EVP_sha256(), 32, text);
    case BY_OTHER_EC:
        return sign_ec(fixture.other_ec, EVP_sha256(), 32, text);
    case BY_P384:
        return sign_ec(fixture.p384, EVP_sha256(), 48, text);
    case BY_E1_DER:
        return testing_sign(arena, fixture.ec, EVP_sha256(), text);
    case BY_NOBODY:
        return TEXT("");
    }
    abort();
}

static const char *encoded(const char *text)
{
    return testing_base64url(fixture.arena, text, strlen(text));
}

#define HEADER_H1 "{\"alg\":\"HS256\",\"kid\":\"h1\",\"typ\":\"JWT\"}"
#define HEADER_R1 "{\"alg\":\"RS256\",\"kid\":\"r1\",\"typ\":\"JWT\"}"
#define HEADER_E1 "{\"alg\":\"ES256\",\"kid\":\"e1\",\"typ\":\"JWT\"}"
#define WITH(claims) "{\"sub\":\"ann\",\"scope\":\"messages:write\",\"exp\":1800003600" claims "}"
#define GOOD WITH("")

static const char *make(const char *header, const char *payload, enum signer signer)
{
    const char *text = arena_printf(fixture.arena, "%s.%s", encoded(header), encoded(payload));
    struct text signature = sign(signer, text);

    return arena_printf(
        fixture.arena, "%s.%s", text,
        testing_base64url(fixture.arena, signature.ptr, signature.len));
}

/* ---- asking ---- */

static struct keys *load_keys(const char *content)
{
    struct keys *keys = NULL;
    char path[32], why[512];

    testing_write(path, content);
    if (keys_load(path, &keys, why, sizeof(why)))
        fail_msg("%s", why);
    unlink(path);
    return keys;
}

static struct tokens *new_tokens(const char *issuer, const char *audience)
{
    struct tokens *tokens = tokens_new(load_keys(fixture.key_file), issuer, audience, 64);

    tokens_set_clock(tokens, test_clock);
    return tokens;
}

/* What token_verify says, and what it logs meanwhile, in `log`. */
static int verify_logged(
    struct tokens *tokens,
    struct text token,
    struct caller *ret,
    struct err *err,
    char *log,
    size_t log_size)
{
    int saved = dup(STDERR_FILENO);

    if (ftruncate(fixture.log, 0) != 0)
        abort();
    lseek(fixture.log, 0, SEEK_SET);
    dup2(fixture.log, STDERR_FILENO);
    int result = token_verify(tokens, token, fixture.arena, ret, err);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = pread(fixture.log, log, log_size - 1, 0);
    log[n < 0 ? 0 : n] = '\0';
    return result;
}

/* Refused: nothing but the code for the client, one line for the log, and no token in it. */
static bool is_refused_as(struct tokens *tokens, struct text token, const char *why)
{
    struct caller caller = {.scopes = 7};
    struct err err;
    char log[2048];

    err_init(&err, fixture.arena);
    if (verify_logged(tokens, token, &caller, &err, log, sizeof(log)) == 0)
        return false;
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    assert_null(err.detail);
    assert_null(err.fields);
    assert_int_equal(caller.scopes, 7);
    const char *said = strstr(log, "\"event\":\"token_refused\",\"reason\":\"");
    assert_non_null(said);
    if (why)
        assert_non_null(strstr(said, arena_printf(fixture.arena, ":\"%s\"}", why)));
    assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);
    assert_null(strstr(log, "eyJ"));
    return true;
}

static bool is_refused_text(struct tokens *tokens, struct text token)
{
    return is_refused_as(tokens, token, NULL);
}

static bool is_refused(struct tokens *tokens, const char *token)
{
    return is_refused_text(tokens, text_of(token));
}

static bool is_good(struct tokens *tokens, const char *token)
{
    struct caller caller;
    struct err err;
    char log[2048];

    err_init(&err, fixture.arena);
    int result = verify_logged(tokens, text_of(token), &caller, &err, log, sizeof(log));
    if (result)
        print_message("%s", log);
    else
        assert_string_equal(log, "");
    return result == 0;
}

/* ---- tokens that are good ---- */

struct good {
    const char *name;
    const char *header;
    const char *payload;
    enum signer signer;
};

static const struct good good[] = {
    {"HS256 is taken", HEADER_H1, GOOD, BY_H1},
    {"RS256 is taken", HEADER_R1, GOOD, BY_R1},
    {"ES256 is taken", HEADER_E1, GOOD, BY_E1},
    {"the second HS256 key is taken", "{\"alg\":\"HS256\",\"kid\":\"h2\"}", GOOD, BY_H2},
    {"a token without typ is taken", "{\"kid\":\"h1\",\"alg\":\"HS256\"}", GOOD, BY_H1},
    {"claims that are not known are let be", HEADER_H1,
     WITH(",\"jti\":\"7\",\"realm\":{\"roles\":[\"admin\",{\"deep\":[]}]}"), BY_H1},
    {"an issuer is let be where none is asked for", HEADER_H1, WITH(",\"iss\":\"x\""), BY_H1},
    {"a subject of 64 bytes in UTF-8 is taken", HEADER_H1,
     "{\"sub\":\"\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"
     "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"scope\":\"user\",\"exp\":1800003600}",
     BY_H1},
    {"an exp at the end of the year 9999 is taken", HEADER_H1,
     "{\"sub\":\"ann\",\"scope\":\"user\",\"exp\":253402300799}", BY_H1},
};

static void is_taken(void **state)
{
    const struct good *one = *state;
    const char *token = make(one->header, one->payload, one->signer);

    assert_true(is_good(fixture.tokens, token));
    assert_true(is_good(fixture.tokens, token)); /* from the cache */
}

static void the_caller_is_what_the_token_says(void **state)
{
    struct err err;

    (void)state;
    for (int from_cache = 0; from_cache < 2; from_cache++) {
        struct caller caller = {0};
        struct arena *arena = arena_new();
        const char *token = make(
            HEADER_H1,
            "{\"sub\":\"b\xC3\xA4r\",\"scope\":\"messages:write users:read\","
            "\"iat\":1799999999,\"nbf\":1,\"exp\":1800003600}",
            BY_H1);
        err_init(&err, arena);
        assert_int_equal(token_verify(fixture.tokens, text_of(token), arena, &caller, &err), 0);
        assert_true(text_equal(caller.subject, TEXT("b\xC3\xA4r")));
        assert_int_equal(caller.scopes, 1u << SCOPE_MESSAGES_WRITE | 1u << SCOPE_USERS_READ);
        assert_int_equal(caller.issued_at_us, INT64_C(1799999999) * USEC_PER_SEC);
        assert_int_equal(caller.expires_at_us, INT64_C(1800003600) * USEC_PER_SEC);
        assert_true(caller_allows(&caller, SCOPE_MESSAGES_WRITE));
        assert_false(caller_allows(&caller, SCOPE_MESSAGES_READ));
        assert_false(caller_is_user(&caller));
        arena_free(arena);
    }
}

static void every_scope_is_known(void **state)
{
    (void)state;
    for (int i = 0; i < SCOPES; i++) {
        struct caller caller = {0};
        struct err err;
        const char *payload = arena_printf(
            fixture.arena, "{\"sub\":\"a\",\"exp\":1800003600,\"scope\":\"%s\"}",
            scope_text((enum scope)i));
        err_init(&err, fixture.arena);
        const char *token = make(HEADER_H1, payload, BY_H1);
        assert_int_equal(
            token_verify(fixture.tokens, text_of(token), fixture.arena, &caller, &err), 0);
        assert_int_equal(caller.scopes, 1u << i);
    }
}

/* ---- attacks ---- */

struct attack {
    const char *name;
    const char *why; /* as the log says it */
    const char *header;
    const char *payload;
    enum signer signer;
};

#define CLAIMS(claims) "{" claims "}"
#define SUB "\"sub\":\"ann\""
#define SCOPE_CLAIM "\"scope\":\"messages:write\""
#define EXP "\"exp\":1800003600"
#define HS(more) "{\"alg\":\"HS256\",\"kid\":\"h1\"" more "}"

static const struct attack attacks[] = {
    /* the header */
    {"alg none", "an empty part", "{\"alg\":\"none\",\"kid\":\"h1\"}", GOOD, BY_NOBODY},
    {"alg NoNe", "an empty part", "{\"alg\":\"NoNe\",\"kid\":\"h1\"}", GOOD, BY_NOBODY},
    {"alg NONE", "an empty part", "{\"alg\":\"NONE\",\"kid\":\"h1\"}", GOOD, BY_NOBODY},
    {"alg none without a kid", "an empty part", "{\"alg\":\"none\"}", GOOD, BY_NOBODY},
    {"alg none with a signature", "algorithm is not the key's", "{\"alg\":\"none\",\"kid\":\"h1\"}",
     GOOD, BY_H1},
    {"an empty signature", "an empty part", HEADER_H1, GOOD, BY_NOBODY},
    {"no alg", "header", "{\"kid\":\"h1\"}", GOOD, BY_H1},
    {"alg is a number", "header", "{\"alg\":256,\"kid\":\"h1\"}", GOOD, BY_H1},
    {"alg is null", "header", "{\"alg\":null,\"kid\":\"h1\"}", GOOD, BY_H1},
    {"alg is an array", "header", "{\"alg\":[\"HS256\"],\"kid\":\"h1\"}", GOOD, BY_H1},
    {"alg is empty", "algorithm is not the key's", "{\"alg\":\"\",\"kid\":\"h1\"}", GOOD, BY_H1},
    {"HS256 by the RSA key's PEM", "algorithm is not the key's",
     "{\"alg\":\"HS256\",\"kid\":\"r1\"}", GOOD, BY_RSA_PEM},
    {"the same without newline", "algorithm is not the key's", "{\"alg\":\"HS256\",\"kid\":\"r1\"}",
     GOOD, BY_RSA_PEM_NL},
    {"HS256 by the RSA key's DER", "algorithm is not the key's",
     "{\"alg\":\"HS256\",\"kid\":\"r1\"}", GOOD, BY_RSA_DER},
    {"HS256 by the EC key's PEM", "algorithm is not the key's",
     "{\"alg\":\"HS256\",\"kid\":\"e1\"}", GOOD, BY_EC_PEM},
    {"the same without newline (EC)", "algorithm is not the key's",
     "{\"alg\":\"HS256\",\"kid\":\"e1\"}", GOOD, BY_EC_PEM_NL},
    {"HS256 by the EC key's DER", "algorithm is not the key's",
     "{\"alg\":\"HS256\",\"kid\":\"e1\"}", GOOD, BY_EC_DER},
    {"an HMAC by the PEM called RS256", "form of the signature", HEADER_R1, GOOD, BY_RSA_PEM},
    {"an HMAC by the PEM called ES256", "form of the signature", HEADER_E1, GOOD, BY_EC_PEM},
    {"RS512 for an RS256 key", "algorithm is not the key's", "{\"alg\":\"RS512\",\"kid\":\"r1\"}",
     GOOD, BY_R1_SHA512},
    {"RS512's digest called RS256", "signature", HEADER_R1, GOOD, BY_R1_SHA512},
    {"ES256 by a P-384 key", "form of the signature", HEADER_E1, GOOD, BY_P384},
    {"an ES256 signature in DER", "form of the signature", HEADER_E1, GOOD, BY_E1_DER},
    {"RS256 by another key", "signature", HEADER_R1, GOOD, BY_OTHER_RSA},
    {"ES256 by another key", "signature", HEADER_E1, GOOD, BY_OTHER_EC},
    {"RS256 by the ES256 key's name", "algorithm is not the key's",
     "{\"alg\":\"RS256\",\"kid\":\"e1\"}", GOOD, BY_R1},
    {"HS256 in lower case", "algorithm is not the key's", "{\"alg\":\"hs256\",\"kid\":\"h1\"}",
     GOOD, BY_H1},
    {"HS384 for an HS256 key", "algorithm is not the key's", "{\"alg\":\"HS384\",\"kid\":\"h1\"}",
     GOOD, BY_H1},
    {"alg twice", "header", "{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"h1\"}", GOOD, BY_H1},
    {"alg twice, once escaped", "header",
     "{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\",\"kid\":\"h1\"}", GOOD, BY_H1},
    {"kid twice", "header", "{\"alg\":\"HS256\",\"kid\":\"h1\",\"kid\":\"h1\"}", GOOD, BY_H1},
    {"crit", "header", HS(",\"crit\":[\"exp\"]"), GOOD, BY_H1},
    {"crit b64 false", "header", HS(",\"crit\":[\"b64\"],\"b64\":false"), GOOD, BY_H1},
    {"b64 false", "header", HS(",\"b64\":false"), GOOD, BY_H1},
    {"an embedded jwk", "header", HS(",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}"), GOOD, BY_H1},
    {"jku", "header", HS(",\"jku\":\"http://127.0.0.1:1/keys\""), GOOD, BY_H1},
    {"x5u", "header", HS(",\"x5u\":\"http://127.0.0.1:1/cert\""), GOOD, BY_H1},
    {"x5c", "header", HS(",\"x5c\":[\"AA\"]"), GOOD, BY_H1},
    {"zip", "header", HS(",\"zip\":\"DEF\""), GOOD, BY_H1},
    {"kid is a path", "kid", "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", GOOD, BY_EMPTY_KEY},
    {"kid is /dev/zero", "kid", "{\"alg\":\"HS256\",\"kid\":\"/dev/zero\"}", GOOD, BY_ZERO_KEY},
    {"kid is SQL", "kid", "{\"alg\":\"HS256\",\"kid\":\"h1' or '1'='1\"}", GOOD, BY_H1},
    {"kid is empty", "kid", "{\"alg\":\"HS256\",\"kid\":\"\"}", GOOD, BY_H1},
    {"kid has a NUL", "header", "{\"alg\":\"HS256\",\"kid\":\"h1\\u0000\"}", GOOD, BY_H1},
    {"kid has a space", "kid", "{\"alg\":\"HS256\",\"kid\":\"h1 \"}", GOOD, BY_H1},
    {"kid is a number", "header", "{\"alg\":\"HS256\",\"kid\":1}", GOOD, BY_H1},
    {"kid is null", "header", "{\"alg\":\"HS256\",\"kid\":null}", GOOD, BY_H1},
    {"kid in other case", "unknown key", "{\"alg\":\"HS256\",\"kid\":\"H1\"}", GOOD, BY_H1},
    {"kid of another key", "signature", "{\"alg\":\"HS256\",\"kid\":\"h2\"}", GOOD, BY_H1},
    {"kid that nobody has", "unknown key", "{\"alg\":\"HS256\",\"kid\":\"h9\"}", GOOD, BY_H1},
    {"kid that nobody has, empty key", "unknown key", "{\"alg\":\"HS256\",\"kid\":\"h9\"}", GOOD,
     BY_EMPTY_KEY},
    {"a retired key", "unknown key", "{\"alg\":\"HS256\",\"kid\":\"h0\"}", GOOD, BY_RETIRED},
    {"no kid", "header", "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", GOOD, BY_H1},
    {"typ at+jwt", "header", HS(",\"typ\":\"at+jwt\""), GOOD, BY_H1},
    {"typ jwt in lower case", "header", HS(",\"typ\":\"jwt\""), GOOD, BY_H1},
    {"typ is a number", "header", HS(",\"typ\":1"), GOOD, BY_H1},
    {"the header is an array", "header", "[\"HS256\",\"h1\"]", GOOD, BY_H1},
    {"the header is a string", "header", "\"HS256\"", GOOD, BY_H1},
    {"the header is no JSON", "header", "alg=HS256", GOOD, BY_H1},
    {"something behind the header", "header", HEADER_H1 "{}", GOOD, BY_H1},
    {"a header that is not UTF-8", "header", "{\"alg\":\"HS256\",\"kid\":\"h1\xFF\"}", GOOD, BY_H1},
    /* the payload */
    {"sub twice", "payload", HEADER_H1, WITH(",\"sub\":\"bob\""), BY_H1},
    {"exp twice", "payload", HEADER_H1, WITH(",\"exp\":1800003601"), BY_H1},
    {"aud twice", "payload", HEADER_H1, WITH(",\"aud\":\"a\",\"aud\":\"b\""), BY_H1},
    {"scope twice, once escaped", "payload", HEADER_H1, WITH(",\"s\\u0063ope\":\"admin\""), BY_H1},
    {"the payload is an array", "payload", HEADER_H1, "[" GOOD "]", BY_H1},
    {"the payload is a string", "payload", HEADER_H1, "\"ann\"", BY_H1},
    {"the payload is null", "payload", HEADER_H1, "null", BY_H1},
    {"the payload is no JSON", "payload", HEADER_H1, "sub=ann", BY_H1},
    {"something behind the payload", "payload", HEADER_H1, GOOD " x", BY_H1},
    {"the payload is not UTF-8", "payload", HEADER_H1,
     "{\"sub\":\"a\xC0\x80\",\"scope\":\"user\"," EXP "}", BY_H1},
    {"no exp", "exp", HEADER_H1, CLAIMS(SUB "," SCOPE_CLAIM), BY_H1},
    {"exp is a string", "exp", HEADER_H1, CLAIMS(SUB "," SCOPE_CLAIM ",\"exp\":\"1800003600\""),
     BY_H1},
    {"exp is a real", "exp", HEADER_H1, CLAIMS(SUB "," SCOPE_CLAIM ",\"exp\":1800003600.5"), BY_H1},
    {"exp is 1.8e9", "exp", HEADER_H1, CLAIMS(SUB "," SCOPE_CLAIM ",\"exp\":1.9e9"), BY_H1},
    {"exp is negative", "exp", HEADER_H1, CLAIMS(SUB "," SCOPE_CLAIM ",\"exp\":-1"), BY_H1},
    {"exp is 0", "exp", HEADER_H1, CLAIMS(SUB "," SCOPE_CLAIM ",\"exp\":0"), BY_H1},
    {"exp is true", "exp", HEADER_H1, CLAIMS(SUB "," SCOPE_CLAIM ",\"exp\":true"), BY_H1},
    {"exp is null", "exp", HEADER_H1, CLAIMS(SUB "," SCOPE_CLAIM ",\"exp\":null"), BY_H1},
    {"exp is in the year 10000", "exp", HEADER_H1,
     CLAIMS(SUB "," SCOPE_CLAIM ",\"exp\":253402300800"), BY_H1},
    {"exp is 10^18", "exp", HEADER_H1, CLAIMS(SUB "," SCOPE_CLAIM ",\"exp\":1000000000000000000"),
     BY_H1},
    {"exp overflows", "payload", HEADER_H1,
     CLAIMS(SUB "," SCOPE_CLAIM ",\"exp\":18446744073709551617"), BY_H1},
    {"nbf is a string", "nbf", HEADER_H1, WITH(",\"nbf\":\"1\""), BY_H1},
    {"nbf is a real", "nbf", HEADER_H1, WITH(",\"nbf\":1.5"), BY_H1},
    {"nbf is null", "nbf", HEADER_H1, WITH(",\"nbf\":null"), BY_H1},
    {"nbf is negative", "nbf", HEADER_H1, WITH(",\"nbf\":-5"), BY_H1},
    {"iat is a string", "iat", HEADER_H1, WITH(",\"iat\":\"1\""), BY_H1},
    {"iat is a real", "iat", HEADER_H1, WITH(",\"iat\":1.5"), BY_H1},
    {"an audience where none is ours", "aud", HEADER_H1, WITH(",\"aud\":\"other\""), BY_H1},
    {"an empty audience", "aud", HEADER_H1, WITH(",\"aud\":\"\""), BY_H1},
    {"an empty list of audiences", "aud", HEADER_H1, WITH(",\"aud\":[]"), BY_H1},
    {"the audience is null", "aud", HEADER_H1, WITH(",\"aud\":null"), BY_H1},
    {"iss is a number", "iss", HEADER_H1, WITH(",\"iss\":1"), BY_H1},
    {"no sub", "sub", HEADER_H1, CLAIMS(SCOPE_CLAIM "," EXP), BY_H1},
    {"an empty sub", "sub", HEADER_H1, CLAIMS("\"sub\":\"\"," SCOPE_CLAIM "," EXP), BY_H1},
    {"sub is a number", "sub", HEADER_H1, CLAIMS("\"sub\":1," SCOPE_CLAIM "," EXP), BY_H1},
    {"sub is null", "sub", HEADER_H1, CLAIMS("\"sub\":null," SCOPE_CLAIM "," EXP), BY_H1},
    {"sub has a NUL", "payload", HEADER_H1, CLAIMS("\"sub\":\"ann\\u0000b\"," SCOPE_CLAIM "," EXP),
     BY_H1},
    {"sub has a newline", "sub", HEADER_H1, CLAIMS("\"sub\":\"a\\nb\"," SCOPE_CLAIM "," EXP),
     BY_H1},
    {"sub has a C1 control", "sub", HEADER_H1, CLAIMS("\"sub\":\"a\\u0085\"," SCOPE_CLAIM "," EXP),
     BY_H1},
    {"sub has a lone surrogate", "payload", HEADER_H1,
     CLAIMS("\"sub\":\"a\\ud800\"," SCOPE_CLAIM "," EXP), BY_H1},
    {"sub of 65 bytes", "sub", HEADER_H1,
     CLAIMS("\"sub\":"
            "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"," SCOPE_CLAIM
            "," EXP),
     BY_H1},
    {"no scope", "scope", HEADER_H1, CLAIMS(SUB "," EXP), BY_H1},
    {"an empty scope", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"\"," EXP), BY_H1},
    {"scope is a space", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\" \"," EXP), BY_H1},
    {"scope is an array", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":[\"admin\"]," EXP), BY_H1},
    {"a scope and something more", "scope", HEADER_H1,
     CLAIMS(SUB ",\"scope\":\"admin:readx\"," EXP), BY_H1},
    {"the front of a scope", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"adm\"," EXP), BY_H1},
    {"the back of a scope", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"xadmin\"," EXP), BY_H1},
    {"a scope in upper case", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"ADMIN\"," EXP), BY_H1},
    {"a scope with a star", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"messages:*\"," EXP),
     BY_H1},
    {"the public scope", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"public\"," EXP), BY_H1},
    {"a scope twice", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"admin admin\"," EXP), BY_H1},
    {"a known and an unknown scope", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"admin x\"," EXP),
     BY_H1},
    {"two spaces", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"users:read  users:write\"," EXP),
     BY_H1},
    {"a space in front", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\" admin\"," EXP), BY_H1},
    {"a space behind", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"admin \"," EXP), BY_H1},
    {"a tab between", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"users:read\\tadmin\"," EXP),
     BY_H1},
    {"commas between", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"users:read,admin\"," EXP),
     BY_H1},
    {"user and admin", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"user admin\"," EXP), BY_H1},
    {"users:read and user", "scope", HEADER_H1, CLAIMS(SUB ",\"scope\":\"users:read user\"," EXP),
     BY_H1},
};

static void attack_is_refused(void **state)
{
    const struct attack *attack = *state;
    const char *token = make(attack->header, attack->payload, attack->signer);

    assert_true(is_refused_as(fixture.tokens, text_of(token), attack->why));
}

/* ---- the text of a token ---- */

/* `text` put into a good token at a place that is counted from its end, or instead of its
 * characters. */
struct spoiled {
    const char *name;
    const char *header;
    enum signer signer;
    int from_end;
    size_t instead_of;
    const char *text;
};

static const struct spoiled spoiled[] = {
    {"a fourth part", HEADER_H1, BY_H1, 0, 0, ".AAAA"},
    {"a point behind", HEADER_H1, BY_H1, 0, 0, "."},
    {"= behind", HEADER_H1, BY_H1, 0, 0, "="},
    {"~!* behind (RS256)", HEADER_R1, BY_R1, 0, 0, "~!*"},
    {"=== behind (RS256)", HEADER_R1, BY_R1, 0, 0, "==="},
    {"~!* inside (RS256)", HEADER_R1, BY_R1, 100, 0, "~!*"},
    {"a space inside (RS256)", HEADER_R1, BY_R1, 100, 0, " "},
    {"a newline inside (RS256)", HEADER_R1, BY_R1, 100, 0, "\n"},
    {"a space behind (RS256)", HEADER_R1, BY_R1, 0, 0, " "},
    {"AAAA behind (RS256)", HEADER_R1, BY_R1, 0, 0, "AAAA"},
    {"~!* inside (ES256)", HEADER_E1, BY_E1, 20, 0, "~!*"},
    {"a space inside (ES256)", HEADER_E1, BY_E1, 20, 0, " "},
    {"== behind (ES256)", HEADER_E1, BY_E1, 0, 0, "=="},
    {"a newline behind (ES256)", HEADER_E1, BY_E1, 0, 0, "\n"},
    {"AAAA behind (ES256)", HEADER_E1, BY_E1, 0, 0, "AAAA"},
    {"a space inside (HS256)", HEADER_H1, BY_H1, 10, 0, " "},
    {"AAAA behind (HS256)", HEADER_H1, BY_H1, 0, 0, "AAAA"},
    {"plain base64's + in the signature", HEADER_H1, BY_H1, 10, 1, "+"},
    {"plain base64's / in the signature", HEADER_H1, BY_H1, 10, 1, "/"},
    {"a byte above ASCII in the signature", HEADER_H1, BY_H1, 10, 1, "\xC3"},
    {"a signature that is one character short", HEADER_H1, BY_H1, 1, 1, ""},
    {"a signature that is four characters short", HEADER_H1, BY_H1, 4, 4, ""},
    {"a signature of one character", HEADER_H1, BY_H1, 43, 43, "A"},
    {"a signature cut in half (RS256)", HEADER_R1, BY_R1, 171, 171, ""},
    {"no signature and no second point", HEADER_H1, BY_H1, 44, 44, ""},
};

static void spoiled_is_refused(void **state)
{
    const struct spoiled *one = *state;
    const char *token = make(one->header, GOOD, one->signer);
    size_t place = strlen(token) - (size_t)one->from_end;

    assert_true(is_good(fixture.tokens, token));
    const char *changed = arena_printf(
        fixture.arena, "%.*s%s%s", (int)place, token, one->text, token + place + one->instead_of);
    assert_true(is_refused(fixture.tokens, changed));
}

/* Every bit of the six that a character carries, also those that stand for nothing. */
static void any_flipped_bit_is_refused(const char *header, enum signer signer, bool all_parts)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *token = make(header, GOOD, signer);
    size_t length = strlen(token);
    char *changed = arena_alloc(fixture.arena, length + 1);
    size_t from = all_parts ? 0 : (size_t)(strrchr(token, '.') - token) + 1;

    assert_true(is_good(fixture.tokens, token));
    for (size_t i = from; i < length; i++) {
        if (token[i] == '.')
            continue;
        memcpy(changed, token, length);
        for (int bit = 0; bit < 6; bit++) {
            changed[i] = alphabet[(strchr(alphabet, token[i]) - alphabet) ^ (1 << bit)];
            if (!is_refused(fixture.tokens, changed))
                fail_msg("bit %d of character %zu", bit, i);
        }
    }
}

static void a_flipped_bit_anywhere_is_refused_with_hs256(void **state)
{
    (void)state;
    any_flipped_bit_is_refused(HEADER_H1, BY_H1, true);
}

static void a_flipped_bit_of_the_signature_is_refused_with_rs256(void **state)
{
    (void)state;
    any_flipped_bit_is_refused(HEADER_R1, BY_R1, false);
}

static void a_flipped_bit_of_the_signature_is_refused_with_es256(void **state)
{
    (void)state;
    any_flipped_bit_is_refused(HEADER_E1, BY_E1, false);
}

static void every_front_of_a_token_is_refused(void **state)
{
    struct text token = text_of(make(HEADER_H1, GOOD, BY_H1));

    (void)state;
    for (size_t len = 0; len < token.len; len++)
        assert_true(is_refused_text(fixture.tokens, (struct text){token.ptr, len}));
    assert_true(is_refused_text(fixture.tokens, TEXT_ABSENT));
}

static void points_alone_are_refused(void **state)
{
    (void)state;
    assert_true(is_refused(fixture.tokens, "...................."));
    assert_true(is_refused(fixture.tokens, "AAAAAAAAAA..AAAAAAAAAA"));
    assert_true(is_refused(fixture.tokens, ".AAAAAAAAAA.AAAAAAAAAA"));
    assert_true(is_refused(fixture.tokens, "AAAAAAAAAA.AAAAAAAAAA."));
    assert_true(is_refused(fixture.tokens, "AAAAAAAAAAAAAAAAAAAAAAAA"));
}

static void a_nul_inside_is_refused(void **state)
{
    const char *token = make(HEADER_H1, GOOD, BY_H1);
    size_t len = strlen(token);
    char *changed = arena_alloc(fixture.arena, len + 2);

    (void)state;
    memcpy(changed, token, len); /* what follows is NUL, and hides "x" from C */
    changed[len + 1] = 'x';
    assert_true(is_refused_text(fixture.tokens, (struct text){changed, len + 1}));
    assert_true(is_refused_text(fixture.tokens, (struct text){changed, len + 2}));
}

/* A good token that is filled up to `length` bytes, or one more, by a claim that nobody reads. */
static const char *token_of_length(size_t length)
{
    size_t bare = strlen(make(HEADER_H1, WITH(",\"fill\":\"\""), BY_H1));

    for (int fill = (int)((length - bare) * 3 / 4);; fill++) {
        const char *claim = arena_printf(fixture.arena, WITH(",\"fill\":\"%0*d\""), fill, 0);
        const char *token = make(HEADER_H1, claim, BY_H1);
        if (strlen(token) >= length)
            return token;
    }
}

static void a_token_may_have_4096_bytes_and_no_more(void **state)
{
    const char *most = token_of_length(TOKEN_MAX_BYTES - 1);

    (void)state;
    assert_in_range(strlen(most), TOKEN_MAX_BYTES - 1, TOKEN_MAX_BYTES);
    assert_true(is_good(fixture.tokens, most));
    assert_true(is_refused(fixture.tokens, token_of_length(TOKEN_MAX_BYTES + 1)));
    assert_true(is_refused(fixture.tokens, token_of_length(65536)));
}

/* At the limit of length: without a look at the depth libjwt would parse it before the
 * signature. */
static void deep_nesting_is_refused(void **state)
{
    char *deep = arena_alloc(fixture.arena, 2901);

    (void)state;
    memset(deep, '[', 2900);
    assert_true(is_refused(fixture.tokens, make(HEADER_H1, deep, BY_H1)));
    assert_true(is_refused(
        fixture.tokens,
        make(HEADER_H1, arena_printf(fixture.arena, "{\"a\":%s", deep), BY_NOBODY)));
    assert_true(is_refused(
        fixture.tokens, make(arena_printf(fixture.arena, "{\"alg\":%s", deep), GOOD, BY_H1)));
    for (size_t i = 0; i < 2900; i += 5)
        memcpy(deep + i, "{\"a\":", 5);
    assert_true(is_refused(fixture.tokens, make(HEADER_H1, deep, BY_H1)));
}

static void bytes_without_sense_are_refused(void **state)
{
    unsigned random = 1;
    char token[200];

    (void)state;
    for (int i = 0; i < 2000; i++) {
        size_t len = 20 + random % 180;
        for (size_t k = 0; k < len; k++) {
            random = random * 1103515245u + 12345u;
            token[k] =
                random >> 29 ? "eyJhbGciOiJIUzI1NiIs.."[(random >> 16) % 22] : (char)(random >> 16);
        }
        assert_true(is_refused_text(fixture.tokens, (struct text){token, len}));
    }
}

/* ---- time ---- */

struct moment {
    const char *name;
    const char *payload;
    int64_t now_us;
    bool good;
};

#define AT(seconds) ((seconds)*USEC_PER_SEC)
#define EXPIRES "{" SUB "," SCOPE_CLAIM ",\"exp\":1800000000}"
#define BEGINS WITH(",\"nbf\":1800000000")
#define ISSUED WITH(",\"iat\":1800000000")

static const struct moment moments[] = {
    {"one second before exp", EXPIRES, AT(NOW - 1), true},
    {"at exp: the leeway has just begun", EXPIRES, AT(NOW), true},
    {"a microsecond before the leeway ends", EXPIRES, AT(NOW + 30) - 1, true},
    {"when the leeway ends", EXPIRES, AT(NOW + 30), false},
    {"a second after the leeway", EXPIRES, AT(NOW + 31), false},
    {"31 s before nbf", BEGINS, AT(NOW - 31), false},
    {"a microsecond before nbf's leeway", BEGINS, AT(NOW - 30) - 1, false},
    {"30 s before nbf", BEGINS, AT(NOW - 30), true},
    {"at nbf", BEGINS, AT(NOW), true},
    {"issued in 31 s", ISSUED, AT(NOW - 31), false},
    {"a microsecond more than 30 s too early", ISSUED, AT(NOW - 30) - 1, false},
    {"issued in 30 s", ISSUED, AT(NOW - 30), true},
    {"issued now", ISSUED, AT(NOW), true},
};

static void moment_is_judged(void **state)
{
    const struct moment *moment = *state;
    const char *token = make(HEADER_H1, moment->payload, BY_H1);

    fixture.now_us = moment->now_us;
    assert_true(moment->good ? is_good(fixture.tokens, token) : is_refused(fixture.tokens, token));

    /* The same when the token is in the cache since a better time. */
    fixture.now_us = AT(NOW);
    assert_true(is_good(fixture.tokens, token));
    fixture.now_us = moment->now_us;
    assert_true(moment->good ? is_good(fixture.tokens, token) : is_refused(fixture.tokens, token));
    fixture.now_us = AT(NOW);
}

/* ---- issuer and audience ---- */

struct ours {
    const char *name;
    const char *claims;
    bool good;
};

static const struct ours ours[] = {
    {"both are ours", ",\"iss\":\"https://id.example/\",\"aud\":\"duet\"", true},
    {"we are among the audiences", ",\"iss\":\"https://id.example/\",\"aud\":[\"other\",\"duet\"]",
     true},
    {"no issuer", ",\"aud\":\"duet\"", false},
    {"the issuer without its slash", ",\"iss\":\"https://id.example\",\"aud\":\"duet\"", false},
    {"the issuer and more", ",\"iss\":\"https://id.example/x\",\"aud\":\"duet\"", false},
    {"the issuer in other case", ",\"iss\":\"https://ID.example/\",\"aud\":\"duet\"", false},
    {"the issuer in an array", ",\"iss\":[\"https://id.example/\"],\"aud\":\"duet\"", false},
    {"an empty issuer", ",\"iss\":\"\",\"aud\":\"duet\"", false},
    {"no audience", ",\"iss\":\"https://id.example/\"", false},
    {"another audience", ",\"iss\":\"https://id.example/\",\"aud\":\"other\"", false},
    {"the front of our name", ",\"iss\":\"https://id.example/\",\"aud\":\"due\"", false},
    {"our name and more", ",\"iss\":\"https://id.example/\",\"aud\":\"duet2\"", false},
    {"only others", ",\"iss\":\"https://id.example/\",\"aud\":[\"a\",\"b\"]", false},
    {"nobody", ",\"iss\":\"https://id.example/\",\"aud\":[]", false},
    {"an audience that is no string", ",\"iss\":\"https://id.example/\",\"aud\":[\"duet\",1]",
     false},
    {"an array in the array", ",\"iss\":\"https://id.example/\",\"aud\":[[\"duet\"]]", false},
    {"the audience is an object", ",\"iss\":\"https://id.example/\",\"aud\":{\"duet\":1}", false},
    {"the audience is null", ",\"iss\":\"https://id.example/\",\"aud\":null", false},
    {"our name and a NUL", ",\"iss\":\"https://id.example/\",\"aud\":\"duet\\u0000\"", false},
};

static void issuer_and_audience_are_judged(void **state)
{
    const struct ours *one = *state;
    const char *payload =
        arena_printf(fixture.arena, "{" SUB "," SCOPE_CLAIM "," EXP "%s}", one->claims);
    const char *token = make(HEADER_H1, payload, BY_H1);
    struct tokens *tokens = new_tokens("https://id.example/", "duet");

    assert_true(one->good ? is_good(tokens, token) : is_refused(tokens, token));
    tokens_free(tokens);
}

static void an_empty_issuer_and_audience_are_none(void **state)
{
    struct tokens *tokens = new_tokens("", "");

    (void)state;
    assert_true(is_good(tokens, make(HEADER_H1, GOOD, BY_H1)));
    assert_true(is_refused(tokens, make(HEADER_H1, WITH(",\"aud\":\"\""), BY_H1)));
    tokens_free(tokens);
}

/* ---- keys that change, and the cache ---- */

static const char *key_file_of(const char *kid, const unsigned char *secret)
{
    return arena_printf(
        fixture.arena, "{\"keys\":[{\"kid\":\"%s\",\"alg\":\"HS256\",\"secret\":\"%s\"}]}", kid,
        testing_base64url(fixture.arena, secret, SECRET_BYTES));
}

static void replaced_keys_count_at_once(void **state)
{
    struct tokens *tokens = new_tokens(NULL, NULL);
    const char *token = make(HEADER_H1, GOOD, BY_H1);

    (void)state;
    assert_true(is_good(tokens, token));
    tokens_replace_keys(tokens, load_keys(key_file_of("h2", fixture.secret[1])));
    assert_true(is_refused(tokens, token)); /* though it was in the cache */
    tokens_replace_keys(tokens, load_keys(key_file_of("h1", fixture.secret[1])));
    assert_true(is_refused(tokens, token)); /* the name is there, the secret is another */
    tokens_replace_keys(tokens, load_keys(key_file_of("h1", fixture.secret[0])));
    assert_true(is_good(tokens, token)); /* a refusal is not remembered */
    tokens_free(tokens);
}

static void the_cache_finds_what_was_put_in_its_generation(void **state)
{
    struct token_cache *cache = token_cache_new(64);
    unsigned char digest[TOKEN_DIGEST_BYTES] = {1, 2, 3};
    struct token_facts facts = {.subject = "ann", .subject_len = 3, .expires_at_us = 7}, found;

    (void)state;
    assert_false(token_cache_get(cache, digest, 1, &found));
    token_cache_put(cache, digest, 1, &facts);
    assert_true(token_cache_get(cache, digest, 1, &found));
    assert_memory_equal(&found, &facts, sizeof(facts));
    assert_false(token_cache_get(cache, digest, 2, &found));
    digest[31] = 1;
    assert_false(token_cache_get(cache, digest, 1, &found));
    token_cache_free(cache);
    token_cache_free(NULL);
}

static void the_cache_keeps_the_newest_of_a_set(void **state)
{
    struct token_cache *cache = token_cache_new(64); /* 8 sets of 8 */
    unsigned char digest[TOKEN_DIGEST_BYTES] = {0};
    struct token_facts facts = {.subject_len = 1}, found;

    (void)state;
    for (int i = 0; i < 100; i++) {
        digest[9] = (unsigned char)i; /* all in the first set */
        token_cache_put(cache, digest, 1, &facts);
        token_cache_put(cache, digest, 1, &facts); /* takes no second place */
    }
    for (int i = 0; i < 100; i++) {
        digest[9] = (unsigned char)i;
        assert_int_equal(token_cache_get(cache, digest, 1, &found), i >= 92);
    }
    token_cache_free(cache);
}

/* For the thread sanitizer, and to see that a token whose key stays is never refused. */
struct verifying {
    struct tokens *tokens;
    const char *token;
    atomic_bool stop;
    atomic_int n_refused;
};

static void *verify_until_stopped(void *context)
{
    struct verifying *verifying = context;

    while (!atomic_load(&verifying->stop)) {
        struct arena *arena = arena_new();
        struct caller caller;
        struct err err;
        err_init(&err, arena);
        if (token_verify(verifying->tokens, text_of(verifying->token), arena, &caller, &err))
            atomic_fetch_add(&verifying->n_refused, 1);
        arena_free(arena);
    }
    return NULL;
}

static void keys_may_be_replaced_under_load(void **state)
{
    struct verifying verifying = {new_tokens(NULL, NULL), make(HEADER_H1, GOOD, BY_H1), false, 0};
    pthread_t threads[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, verify_until_stopped, &verifying);
    for (int i = 0; i < 200; i++)
        tokens_replace_keys(verifying.tokens, load_keys(key_file_of("h1", fixture.secret[0])));
    atomic_store(&verifying.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(verifying.n_refused, 0);
    tokens_free(verifying.tokens);
}

/* ---- the Authorization header ---- */

static void only_a_bearer_has_a_token(void **state)
{
    static const struct {
        const char *header;
        const char *token; /* NULL: none */
    } headers[] = {
        {"Bearer a.b.c", "a.b.c"},
        {"bearer a.b.c", "a.b.c"}, /* RFC 9110, 11.1: schemes know no case */
        {"BEARER a.b.c", "a.b.c"},
        {"Bearer  a.b.c", " a.b.c"}, /* no token begins with a space, so it is refused */
        {"Bearer\ta.b.c", NULL},
        {"Bearer", NULL},
        {"Bearera.b.c", NULL},
        {"Basic a.b.c", NULL},
        {"Bear a.b.c", NULL},
        {"a.b.c", NULL},
        {" Bearer a.b.c", NULL},
        {"", NULL},
        {NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        if (!text_equal(
                token_of_authorization(text_of(headers[i].header)), text_of(headers[i].token)))
            fail_msg("\"%s\"", headers[i].header);
    assert_true(is_refused(fixture.tokens, " a.b.cccccccccccccccc"));
}

/* ---- signing ---- */

static int sign_with(
    struct keys *keys,
    struct text subject,
    struct text scope,
    int64_t expires_in_s,
    struct buf *ret)
{
    char why[512] = "";
    int result = token_sign(
        keys, subject, scope, expires_in_s, "https://id.example/", "duet", ret, why, sizeof(why));

    assert_int_equal(result != 0, why[0] != '\0');
    return result;
}

static void a_signed_token_is_taken(void **state)
{
    struct tokens *tokens = new_tokens("https://id.example/", "duet");
    struct keys *keys = load_keys(fixture.key_file);
    struct caller caller = {0};
    struct err err;
    buf_auto token = BUF(TOKEN_MAX_BYTES);

    (void)state;
    err_init(&err, fixture.arena);
    tokens_set_clock(tokens, clock_now_us);
    assert_int_equal(sign_with(keys, TEXT("b\xC3\xA4r"), TEXT("users:read admin"), 60, &token), 0);
    assert_int_equal(token_verify(tokens, buf_as_text(&token), fixture.arena, &caller, &err), 0);
    assert_true(text_equal(caller.subject, TEXT("b\xC3\xA4r")));
    assert_int_equal(caller.expires_at_us - caller.issued_at_us, 60 * USEC_PER_SEC);
    assert_true(caller_allows(&caller, SCOPE_SETTINGS_WRITE));
    tokens_free(tokens);
    keys_unref(keys);
}

static void what_would_be_refused_is_not_signed(void **state)
{
    struct keys *keys = load_keys(fixture.key_file);
    buf_auto token = BUF(TOKEN_MAX_BYTES);

    (void)state;
    assert_int_equal(sign_with(keys, TEXT(""), TEXT("admin"), 60, &token), -1);
    assert_int_equal(sign_with(keys, TEXT_ABSENT, TEXT("admin"), 60, &token), -1);
    assert_int_equal(sign_with(keys, TEXT("a\nb"), TEXT("admin"), 60, &token), -1);
    assert_int_equal(sign_with(keys, TEXT("a\xFF"), TEXT("admin"), 60, &token), -1);
    assert_int_equal(sign_with(keys, TEXT("a"), TEXT(""), 60, &token), -1);
    assert_int_equal(sign_with(keys, TEXT("a"), TEXT_ABSENT, 60, &token), -1);
    assert_int_equal(sign_with(keys, TEXT("a"), TEXT("admins"), 60, &token), -1);
    assert_int_equal(sign_with(keys, TEXT("a"), TEXT("admin user"), 60, &token), -1);
    assert_int_equal(sign_with(keys, TEXT("a"), TEXT("admin"), 0, &token), -1);
    assert_int_equal(sign_with(keys, TEXT("a"), TEXT("admin"), -1, &token), -1);
    assert_int_equal(sign_with(keys, TEXT("a"), TEXT("admin"), INT64_MAX, &token), -1);
    assert_int_equal(token.len, 0);
    keys_unref(keys);
}

static void without_an_hs256_key_nothing_is_signed(void **state)
{
    struct keys *keys = load_keys(arena_printf(
        fixture.arena, "{\"keys\":[{\"kid\":\"e1\",\"alg\":\"ES256\",\"public_key\":\"%s\"}]}",
        testing_json_lines(fixture.arena, testing_public(fixture.arena, fixture.ec, true))));
    buf_auto token = BUF(TOKEN_MAX_BYTES);

    (void)state;
    assert_int_equal(sign_with(keys, TEXT("a"), TEXT("admin"), 60, &token), -1);
    keys_unref(keys);
}

/* ---- all together ---- */

static int make_fixture(void **state)
{
    struct arena *arena = fixture.arena = arena_new();

    (void)state;
    fixture.now_us = AT(NOW);
    fixture.rsa = EVP_RSA_gen(2048);
    fixture.other_rsa = EVP_RSA_gen(2048);
    fixture.ec = EVP_EC_gen("P-256");
    fixture.other_ec = EVP_EC_gen("P-256");
    fixture.p384 = EVP_EC_gen("P-384");
    for (size_t i = 0; i < sizeof(fixture.secret); i++)
        fixture.secret[i / SECRET_BYTES][i % SECRET_BYTES] = (unsigned char)(i * 37 + 11);
    fixture.key_file = arena_printf(
        arena,
        "{\"keys\":["
        "{\"kid\":\"h1\",\"alg\":\"HS256\",\"secret\":\"%s\"},"
        "{\"kid\":\"h2\",\"alg\":\"HS256\",\"secret\":\"%s\"},"
        "{\"kid\":\"r1\",\"alg\":\"RS256\",\"public_key\":\"%s\"},"
        "{\"kid\":\"e1\",\"alg\":\"ES256\",\"public_key\":\"%s\"}]}",
        testing_base64url(arena, fixture.secret[0], SECRET_BYTES),
        testing_base64url(arena, fixture.secret[1], SECRET_BYTES),
        testing_json_lines(arena, testing_public(arena, fixture.rsa, true)),
        testing_json_lines(arena, testing_public(arena, fixture.ec, true)));
    fixture.tokens = new_tokens(NULL, NULL);
    fixture.log = memfd_create("log", MFD_CLOEXEC);
    return fixture.log < 0;
}

static int free_fixture(void **state)
{
    (void)state;
    tokens_free(fixture.tokens);
    tokens_free(NULL);
    EVP_PKEY_free(fixture.rsa);
    EVP_PKEY_free(fixture.other_rsa);
    EVP_PKEY_free(fixture.ec);
    EVP_PKEY_free(fixture.other_ec);
    EVP_PKEY_free(fixture.p384);
    arena_free(fixture.arena);
    close(fixture.log);
    return 0;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* One test for each row of a table, under the row's name. */
#define ADD_ROWS(tests, n, table, run)                                                             \
    for (size_t row_ = 0; row_ < COUNT(table); row_++)                                             \
        (tests)[(n)++] = (struct CMUnitTest)                                                       \
        {                                                                                          \
            (table)[row_].name, run, NULL, NULL, (void *)&(table)[row_]                            \
        }

int main(void)
{
    static const struct CMUnitTest single[] = {
        cmocka_unit_test(the_caller_is_what_the_token_says),
        cmocka_unit_test(every_scope_is_known),
        cmocka_unit_test(a_flipped_bit_anywhere_is_refused_with_hs256),
        cmocka_unit_test(a_flipped_bit_of_the_signature_is_refused_with_rs256),
        cmocka_unit_test(a_flipped_bit_of_the_signature_is_refused_with_es256),
        cmocka_unit_test(every_front_of_a_token_is_refused),
        cmocka_unit_test(points_alone_are_refused),
        cmocka_unit_test(a_nul_inside_is_refused),
        cmocka_unit_test(a_token_may_have_4096_bytes_and_no_more),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(bytes_without_sense_are_refused),
        cmocka_unit_test(an_empty_issuer_and_audience_are_none),
        cmocka_unit_test(replaced_keys_count_at_once),
        cmocka_unit_test(the_cache_finds_what_was_put_in_its_generation),
        cmocka_unit_test(the_cache_keeps_the_newest_of_a_set),
        cmocka_unit_test(keys_may_be_replaced_under_load),
        cmocka_unit_test(only_a_bearer_has_a_token),
        cmocka_unit_test(a_signed_token_is_taken),
        cmocka_unit_test(what_would_be_refused_is_not_signed),
        cmocka_unit_test(without_an_hs256_key_nothing_is_signed),
    };
    enum {
        ROWS = COUNT(good) + COUNT(attacks) + COUNT(spoiled) + COUNT(moments) + COUNT(ours),
    };
    struct CMUnitTest tests[ROWS + COUNT(single)];
    size_t n = 0;

    ADD_ROWS(tests, n, good, is_taken);
    ADD_ROWS(tests, n, attacks, attack_is_refused);
    ADD_ROWS(tests, n, spoiled, spoiled_is_refused);
    ADD_ROWS(tests, n, moments, moment_is_judged);
    ADD_ROWS(tests, n, ours, issuer_and_audience_are_judged);
    memcpy(tests + n, single, sizeof(single));
    return cmocka_run_group_tests_name("tokens", tests, make_fixture, free_fixture);
}
