/* What the tests of keys and tokens share: keys made with OpenSSL, key files, and tokens put
 * together by hand, so that they may be wrong in any way. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "base/arena.h"
#include "base/text.h"

#define TESTING __attribute__((unused)) static

TESTING char *testing_base64url(struct arena *arena, const void *bytes, size_t size)
{
    char *text = arena_alloc(arena, (size + 2) / 3 * 4 + 1);

    EVP_EncodeBlock((unsigned char *)text, bytes, (int)size);
    text[(size * 4 + 2) / 3] = '\0';
    for (char *c = text; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return text;
}

TESTING struct text testing_public(struct arena *arena, EVP_PKEY *key, bool as_pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;

    if (as_pem)
        PEM_write_bio_PUBKEY(bio, key);
    else
        i2d_PUBKEY_bio(bio, key);
    long size = BIO_get_mem_data(bio, &bytes);
    struct text copy = arena_text(arena, (struct text){bytes, (size_t)size});
    BIO_free(bio);
    return copy;
}

/* A PEM text as it stands in a JSON string. */
TESTING char *testing_json_lines(struct arena *arena, struct text pem)
{
    char *json = arena_alloc(arena, pem.len * 2 + 1);
    char *to = json;

    for (size_t i = 0; i < pem.len; i++) {
        if (pem.ptr[i] == '\n')
            *to++ = '\\';
        *to++ = pem.ptr[i] == '\n' ? 'n' : pem.ptr[i];
    }
    return json;
}

/* A key file of this content; the caller unlinks it. */
TESTING void testing_write(char path[32], const char *content)
{
    memcpy(path, "/tmp/duet-keys-XXXXXX", 22);
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content) || close(fd) != 0)
        abort();
}

TESTING struct text testing_hmac(
    struct arena *arena, const void *secret, size_t size, const char *text)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned n;

    HMAC(EVP_sha256(), secret, (int)size, (const unsigned char *)text, strlen(text), bytes, &n);
    return arena_text(arena, (struct text){(char *)bytes, n});
}

/* An RSA or EC signature as OpenSSL makes it: of EC in DER. */
TESTING struct text testing_sign(
    struct arena *arena, EVP_PKEY *key, const EVP_MD *md, const char *text)
{
    unsigned char bytes[2048];
    size_t n = sizeof(bytes);
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (EVP_DigestSignInit(context, NULL, md, NULL, key) != 1 ||
        EVP_DigestSign(context, bytes, &n, (const unsigned char *)text, strlen(text)) != 1)
        abort();
    EVP_MD_CTX_free(context);
    return arena_text(arena, (struct text){(char *)bytes, n});
}

/* From DER to the two numbers side by side, as tokens have them. */
TESTING struct text testing_ec_raw(struct arena *arena, struct text der, int number_size)
{
    const unsigned char *p = (const unsigned char *)der.ptr;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &p, (long)der.len);
    unsigned char *raw = arena_alloc(arena, 2 * (size_t)number_size);

    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, number_size);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + number_size, number_size);
    ECDSA_SIG_free(signature);
    return (struct text){(char *)raw, 2 * (size_t)number_size};
}
