/* libjwt checks a signature and nothing else: no claim, no duplicate name, no foreign character
 * in the signature, and without a key it takes anything. So every part of a token is looked at
 * here first, in the order of `verify_with`, and libjwt sees only what is well-formed and
 * signed, if at all, by the key that it is given (RFC 8725). */
#include "http/token.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <jansson.h>
#include <jwt.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/fields.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/base64url.h"
#include "http/token_cache.h"

#define LEEWAY_US (TOKEN_LEEWAY_SECONDS * USEC_PER_SEC)
/* 9999-12-31T23:59:59Z: far enough, and in microseconds within 64 bits. */
#define NUMERIC_DATE_MAX INT64_C(253402300799)

struct tokens {
    pthread_mutex_t mutex; /* guards keys; the generation is written under it too */
    struct keys *keys;
    atomic_uint_least64_t generation; /* of keys: 1, 2, … */
    const char *issuer;               /* NULL: any */
    const char *audience;             /* NULL: none */
    EVP_MD *sha256;
    struct token_cache *cache;
    int64_t (*now_us)(void);
};

/* Why a token is refused, as the log tells it: a constant text, NULL for a token that is good. */
typedef const char *refusal;

static const char *null_if_empty(const char *c_string)
{
    return c_string && *c_string ? c_string : NULL;
}

struct tokens *tokens_new(
    struct keys *takes, const char *issuer, const char *audience, size_t cache_entries)
{
    struct tokens *tokens = mem_alloc(sizeof(*tokens));

    pthread_mutex_init(&tokens->mutex, NULL);
    tokens->keys = takes;
    atomic_init(&tokens->generation, 1);
    tokens->issuer = null_if_empty(issuer);
    tokens->audience = null_if_empty(audience);
    tokens->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL); /* once: it costs more than the digest */
    tokens->cache = token_cache_new(cache_entries);
    tokens->now_us = clock_now_us;
    return tokens;
}

void tokens_free(struct tokens *tokens)
{
    if (!tokens)
        return;
    pthread_mutex_destroy(&tokens->mutex);
    keys_unref(tokens->keys);
    EVP_MD_free(tokens->sha256);
    token_cache_free(tokens->cache);
    free(tokens);
}

void tokens_replace_keys(struct tokens *tokens, struct keys *takes)
{
    pthread_mutex_lock(&tokens->mutex);
    struct keys *old = tokens->keys;
    tokens->keys = takes;
    atomic_fetch_add(&tokens->generation, 1);
    pthread_mutex_unlock(&tokens->mutex);
    keys_unref(old);
}

void tokens_set_clock(struct tokens *tokens, int64_t (*now_us)(void))
{
    tokens->now_us = now_us;
}

/* The keys and their generation as of one moment: a verdict that was found with old keys is put
 * into the cache under the old generation, where nobody finds it. */
static struct keys *keys_of(struct tokens *tokens, uint64_t *ret_generation)
{
    pthread_mutex_lock(&tokens->mutex);
    struct keys *keys = keys_ref(tokens->keys);
    *ret_generation = atomic_load(&tokens->generation);
    pthread_mutex_unlock(&tokens->mutex);
    return keys;
}

/* RFC 9110, 11.1: the name of the scheme knows no case. One space, as all clients send it. */
struct text token_of_authorization(struct text header)
{
    struct text scheme = text_cut(&header, ' ');

    return text_present(scheme) && text_equal_nocase(scheme, TEXT("Bearer")) ? header : TEXT_ABSENT;
}

/* ---- the three parts ---- */

struct parts {
    struct text header;
    struct text payload;
    struct text signature;
};

static refusal split(struct text token, struct parts *ret)
{
    ret->header = text_cut(&token, '.');
    ret->payload = text_cut(&token, '.');
    ret->signature = text_cut(&token, '.');
    if (!text_present(ret->signature) || text_present(token))
        return "not three parts";
    if (ret->header.len == 0 || ret->payload.len == 0 || ret->signature.len == 0)
        return "an empty part";
    return NULL;
}

static bool decode_bytes(struct text part, struct arena *arena, struct text *ret)
{
    unsigned char *bytes = arena_alloc(arena, BASE64URL_ROOM(part.len));

    ret->ptr = (const char *)bytes;
    return base64url_decode(part, bytes, &ret->len);
}

/* A JSON object without duplicate names, of bounded depth; NULL when it is anything else. */
static json_t *decode_object(struct text part, struct arena *arena)
{
    struct text text;
    struct err ignored;
    json_t *object = NULL;

    err_init(&ignored, arena);
    if (!decode_bytes(part, arena, &text) || fields_parse_json(text, &object, &ignored))
        return NULL;
    return object;
}

struct header {
    struct text alg;
    struct text kid;
    struct text typ;
};

static const char *const types[] = {"JWT", NULL};

/* What is not in the table is refused: `crit` and `b64` change what a signature means, `jwk`,
 * `jku`, `x5u` bring keys along. */
static const struct field header_fields[] = {
    FIELD_TEXT(struct header, alg, .required = true, .max = 16),
    FIELD_TEXT(struct header, kid, .required = true, .max = KID_BYTES),
    FIELD_TEXT(struct header, typ, .one_of = types),
    FIELD_END,
};
static const struct fields header_table = FIELDS(header_fields, struct header);

/* The key that the header names, if it is one for such a token. */
static refusal find_key(
    const struct keys *keys, struct text part, struct arena *arena, const struct key **ret)
{
    struct header header = {0};
    struct err ignored;
    json_auto_t *object = decode_object(part, arena);
    struct field_source source = {.body = object};

    err_init(&ignored, arena);
    if (!object || fields_decode(&header_table, &source, arena, &header, &ignored))
        return "header";
    if (!kid_is_valid(header.kid))
        return "kid";
    *ret = keys_find(keys, header.kid);
    if (!*ret)
        return "unknown key";
    if (!text_equal(header.alg, text_of(jwt_alg_str((*ret)->alg))))
        return "algorithm is not the key's";
    return NULL;
}

static refusal check_signature(
    const struct key *key, struct text token, struct text signature, struct arena *arena)
{
    struct text bytes;
    jwt_t *jwt = NULL;

    if (!decode_bytes(signature, arena, &bytes) || bytes.len != key->signature_size)
        return "form of the signature";
    if (!key->material || key->material_size == 0) /* without a key libjwt takes any token */
        return "empty key";
    const char *c_string = arena_text(arena, token).ptr;
    int result = jwt_decode(&jwt, c_string, key->material, (int)key->material_size);
    bool good = result == 0 && jwt && jwt_get_alg(jwt) == key->alg;
    jwt_free(jwt);
    ERR_clear_error(); /* other users of OpenSSL on this thread look at the same queue */
    return good ? NULL : "signature";
}

/* ---- the claims ---- */

static struct text claim_text(const json_t *claims, const char *name)
{
    const json_t *claim = json_object_get(claims, name);

    return json_is_string(claim)
               ? (struct text){json_string_value(claim), json_string_length(claim)}
               : TEXT_ABSENT;
}

/* A whole number of seconds; 0 in *ret_us when it is absent. */
static bool claim_time(const json_t *claims, const char *name, int64_t *ret_us)
{
    const json_t *claim = json_object_get(claims, name);
    int64_t seconds = json_integer_value(claim); /* 0 for anything else */

    if (claim && (!json_is_integer(claim) || seconds < 0 || seconds > NUMERIC_DATE_MAX))
        return false;
    *ret_us = seconds * USEC_PER_SEC;
    return true;
}

static bool subject_is_valid(struct text subject)
{
    return subject.len >= 1 && subject.len <= SUBJECT_BYTES && text_is_utf8(subject) &&
           !text_has_control(subject);
}

/* Names with one space between them, each once; `user` only by itself, for a token that is a user's
 * and a back-end's at once would have two answers to what it may do. */
static bool scopes_parse(struct text list, uint32_t *ret)
{
    const uint32_t user = 1u << SCOPE_USER;
    enum scope scope;

    *ret = 0;
    while (text_present(list)) {
        if (!scope_from_text(text_cut(&list, ' '), &scope) || *ret & (1u << scope))
            return false;
        *ret |= 1u << scope;
    }
    return *ret != 0 && (!(*ret & user) || *ret == user);
}

static bool issuer_is_ours(const json_t *claims, const char *issuer)
{
    struct text iss = claim_text(claims, "iss");

    if (!issuer)
        return text_present(iss) || !json_object_get(claims, "iss");
    return text_present(iss) && text_equal(iss, text_of(issuer));
}

/* RFC 7519, 4.1.3: a string or an array of strings; a token that is meant for others is refused. */
static bool audience_is_ours(const json_t *claims, const char *audience)
{
    const json_t *aud = json_object_get(claims, "aud");
    const json_t *one;
    size_t i;
    bool ours = false;

    if (!audience || !aud)
        return !audience && !aud;
    if (json_is_string(aud))
        return text_equal(claim_text(claims, "aud"), text_of(audience));
    json_array_foreach(aud, i, one) {
        if (!json_is_string(one))
            return false;
        ours = ours || (json_string_length(one) == strlen(audience) &&
                        strcmp(json_string_value(one), audience) == 0);
    }
    return ours;
}

static refusal read_claims(
    const struct tokens *tokens, const json_t *claims, struct token_facts *ret)
{
    struct text subject = claim_text(claims, "sub");
    struct text device = claim_text(claims, "device");

    if (!subject_is_valid(subject))
        return "sub";
    if (!scopes_parse(claim_text(claims, "scope"), &ret->scopes))
        return "scope";
    if (json_object_get(claims, "device") &&
        (!subject_is_valid(device) || ret->scopes != 1u << SCOPE_USER))
        return "device";
    if (!claim_time(claims, "exp", &ret->expires_at_us) || ret->expires_at_us == 0)
        return "exp";
    if (!claim_time(claims, "nbf", &ret->not_before_us))
        return "nbf";
    if (!claim_time(claims, "iat", &ret->issued_at_us))
        return "iat";
    if (!issuer_is_ours(claims, tokens->issuer))
        return "iss";
    if (!audience_is_ours(claims, tokens->audience))
        return "aud";
    memcpy(ret->subject, subject.ptr, subject.len);
    ret->subject_len = subject.len;
    if (text_present(device))
        memcpy(ret->device, device.ptr, device.len);
    ret->device_len = device.len;
    return NULL;
}

static refusal check_times(const struct token_facts *facts, int64_t now_us)
{
    if (now_us >= facts->expires_at_us + LEEWAY_US)
        return "expired";
    if (now_us + LEEWAY_US < facts->not_before_us)
        return "not valid yet";
    if (now_us + LEEWAY_US < facts->issued_at_us)
        return "issued in the future";
    return NULL;
}

/* ---- a token ---- */

static refusal verify_with(
    const struct tokens *tokens,
    const struct keys *keys,
    struct text token,
    struct arena *arena,
    struct token_facts *ret)
{
    struct parts parts;
    const struct key *key = NULL;
    refusal why;

    if ((why = split(token, &parts)) || (why = find_key(keys, parts.header, arena, &key)))
        return why;
    /* Before the signature, because libjwt parses the payload, to any depth, before it too. */
    json_auto_t *claims = decode_object(parts.payload, arena);
    if (!claims)
        return "payload";
    if ((why = check_signature(key, token, parts.signature, arena)))
        return why;
    snprintf(ret->key_id, sizeof(ret->key_id), "%s", key->kid);
    return read_claims(tokens, claims, ret);
}

static refusal verify_anew(
    struct tokens *tokens,
    const unsigned char *digest,
    struct text token,
    struct arena *arena,
    struct token_facts *ret)
{
    uint64_t generation;
    struct keys *keys = keys_of(tokens, &generation);
    refusal why = verify_with(tokens, keys, token, arena, ret);

    keys_unref(keys);
    if (!why)
        why = check_times(ret, tokens->now_us());
    if (!why)
        token_cache_put(tokens->cache, digest, generation, ret);
    return why;
}

static refusal verify(
    struct tokens *tokens, struct text token, struct arena *arena, struct token_facts *ret)
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (!text_present(token))
        return "missing";
    if (token.len < TOKEN_MIN_BYTES || token.len > TOKEN_MAX_BYTES)
        return "length";
    if (!EVP_Digest(token.ptr, token.len, digest, NULL, tokens->sha256, NULL))
        return "no digest";
    if (token_cache_get(tokens->cache, digest, atomic_load(&tokens->generation), ret))
        return check_times(ret, tokens->now_us());
    return verify_anew(tokens, digest, token, arena, ret);
}

int token_verify(
    struct tokens *tokens,
    struct text token,
    struct arena *arena,
    struct caller *ret,
    struct err *err)
{
    struct token_facts facts = {0};
    refusal why = verify(tokens, token, arena, &facts);

    if (why) {
        log_event(LOG_INFO, "token_refused", LOG_STR("reason", why));
        err->code = ERR_UNAUTHENTICATED;
        return -1;
    }
    *ret = (struct caller){
        .subject = arena_text(arena, (struct text){facts.subject, facts.subject_len}),
        .device = facts.device_len
                      ? arena_text(arena, (struct text){facts.device, facts.device_len})
                      : TEXT_ABSENT,
        .key_id = arena_text(arena, text_of(facts.key_id)),
        .scopes = facts.scopes,
        .issued_at_us = facts.issued_at_us,
        .expires_at_us = facts.expires_at_us,
    };
    return 0;
}

/* ---- signing ---- */

struct token_claims {
    struct text subject;
    struct text scope;
    struct text device; /* absent: any */
    int64_t issued_at_s;
    int64_t expires_in_s;
};

/* libjwt's texts are its own to free, with free. */
static char *encode(const struct key *key, const char *claims)
{
    jwt_t *jwt = NULL;
    char *token = NULL;

    if (jwt_new(&jwt) == 0 && jwt_add_header(jwt, "kid", key->kid) == 0 &&
        jwt_add_grants_json(jwt, claims) == 0 &&
        jwt_set_alg(jwt, key->alg, key->material, (int)key->material_size) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    return token;
}

static char *claims_text(
    const struct token_claims *wanted, const char *issuer, const char *audience)
{
    json_auto_t *claims = json_pack(
        "{s:s%, s:s%, s:I, s:I, s:s*, s:s*}", "sub", wanted->subject.ptr, wanted->subject.len,
        "scope", wanted->scope.ptr, wanted->scope.len, "iat", (json_int_t)wanted->issued_at_s,
        "exp", (json_int_t)(wanted->issued_at_s + wanted->expires_in_s), "iss",
        null_if_empty(issuer), "aud", null_if_empty(audience));

    if (text_present(wanted->device) &&
        json_object_set_new(
            claims, "device", json_stringn(wanted->device.ptr, wanted->device.len)) != 0)
        return NULL;
    return claims ? json_dumps(claims, JSON_COMPACT) : NULL;
}

static int cannot_sign(char *why, size_t why_size, const char *reason)
{
    snprintf(why, why_size, "%s", reason);
    return -1;
}

static int sign(
    struct keys *keys,
    const struct token_claims *wanted,
    const char *issuer,
    const char *audience,
    struct buf *ret,
    char *why,
    size_t why_size)
{
    const struct key *key = keys_signing(keys);
    uint32_t scopes;

    if (!key)
        return cannot_sign(why, why_size, "the key file has no HS256 key to sign with");
    if (!subject_is_valid(wanted->subject))
        return cannot_sign(
            why, why_size, "the subject must be 1 to 64 bytes of UTF-8 without control characters");
    if (!scopes_parse(wanted->scope, &scopes))
        return cannot_sign(
            why, why_size, "the scope must be known names, each once; `user` stands alone");
    if (wanted->expires_in_s < 1 || wanted->expires_in_s > NUMERIC_DATE_MAX - wanted->issued_at_s)
        return cannot_sign(
            why, why_size, "the token must expire after now and before the year 10000");

    mem_auto char *claims = claims_text(wanted, issuer, audience);
    mem_auto char *token = claims ? encode(key, claims) : NULL;
    if (!token || strlen(token) > TOKEN_MAX_BYTES)
        return cannot_sign(why, why_size, "the token cannot be made of these claims");
    buf_text(ret, text_of(token));
    return ret->failed ? cannot_sign(why, why_size, "the token is too long") : 0;
}

int token_sign(
    struct keys *keys,
    struct text subject,
    struct text scope,
    int64_t expires_in_s,
    const char *issuer,
    const char *audience,
    struct buf *ret,
    char *why,
    size_t why_size)
{
    const struct token_claims wanted = {
        .subject = subject,
        .scope = scope,
        .issued_at_s = clock_now_us() / USEC_PER_SEC,
        .expires_in_s = expires_in_s,
    };

    return sign(keys, &wanted, issuer, audience, ret, why, why_size);
}

int tokens_sign_user(
    struct tokens *tokens,
    struct text user,
    struct text device,
    int64_t issued_at_us,
    int64_t expires_in_s,
    struct buf *ret,
    int64_t *ret_expires_at_us)
{
    const struct token_claims wanted = {
        .subject = user,
        .scope = TEXT("user"),
        .device = device,
        .issued_at_s = issued_at_us / USEC_PER_SEC,
        .expires_in_s = expires_in_s,
    };
    uint64_t unused;
    char why[256];
    struct keys *keys = keys_of(tokens, &unused);
    int result = sign(keys, &wanted, tokens->issuer, tokens->audience, ret, why, sizeof(why));

    keys_unref(keys);
    if (result != 0)
        log_event(LOG_WARN, "token_not_signed", LOG_STR("why", why));
    *ret_expires_at_us = (wanted.issued_at_s + expires_in_s) * USEC_PER_SEC;
    return result;
}
