/* What verified tokens said, by the SHA-256 of their text: checking an RS256 or ES256 signature
 * costs 300 microseconds, looking it up less than one.
 *
 * Bounded: a full set of the table gives up its oldest entry. Only tokens that were found good
 * are put in, so nobody without a key can fill it. Thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/keys.h"

#define TOKEN_DIGEST_BYTES 32
#define SUBJECT_BYTES 64

/* A struct caller without pointers, and what must be compared with the clock at each use. */
struct token_facts {
    char subject[SUBJECT_BYTES];
    size_t subject_len;
    char device[SUBJECT_BYTES];
    size_t device_len; /* 0: the token is for any device */
    char key_id[KID_BYTES + 1];
    uint32_t scopes;
    int64_t issued_at_us; /* 0: the token does not say; likewise the next */
    int64_t not_before_us;
    int64_t expires_at_us;
};

struct token_cache;

struct token_cache *token_cache_new(size_t n_entries);
void token_cache_free(struct token_cache *cache);

/* `generation` counts the key sets: what was found good with another one is not found. */
bool token_cache_get(
    struct token_cache *cache,
    const unsigned char digest[TOKEN_DIGEST_BYTES],
    uint64_t generation,
    struct token_facts *ret);
void token_cache_put(
    struct token_cache *cache,
    const unsigned char digest[TOKEN_DIGEST_BYTES],
    uint64_t generation,
    const struct token_facts *facts);
