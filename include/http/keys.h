/* The keys that tokens are checked and signed with: an immutable set, read from a JSON file and
 * shared by count of references.
 *
 *     {"keys": [{"kid": "k1", "alg": "HS256", "secret": "<base64url of 32 bytes or more>"},
 *               {"kid": "p1", "alg": "ES256", "public_key": "-----BEGIN PUBLIC KEY-----\n…"}],
 *      "signing_kid": "k1"}
 *
 * What the library that checks signatures takes without a question is refused here: short
 * secrets, small RSA keys, a curve that does not belong to the algorithm. */
#pragma once

#include <stddef.h>

#include <jwt.h>

#include "base/text.h"

#define KID_BYTES 64
#define SECRET_MIN_BYTES 32
#define RSA_MIN_BITS 2048

struct key {
    char kid[KID_BYTES + 1];
    jwt_alg_t alg;           /* the algorithm belongs to the key, whatever a token says */
    unsigned char *material; /* HS256: the secret; else the public key in PEM */
    size_t material_size;    /* never 0 */
    size_t signature_size;   /* bytes of each signature */
};

struct keys;

/* -1 with one sentence in `why` that names the file, the key and its fault. */
int keys_load(const char *path, struct keys **ret, char *why, size_t why_size);
/* Another reference; returns its argument. */
struct keys *keys_ref(struct keys *keys);
/* Gives a reference back; the last one wipes the secrets. Takes NULL. */
void keys_unref(struct keys *keys);

/* By exact name; NULL when there is none. */
const struct key *keys_find(const struct keys *keys, struct text kid);
/* The HS256 key that new tokens are signed with; NULL when there is none. */
const struct key *keys_signing(const struct keys *keys);

/* 1 to KID_BYTES of [A-Za-z0-9._-]. */
bool kid_is_valid(struct text kid);
