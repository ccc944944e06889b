#include "base/digest.h"

#include <stdlib.h>

#include <openssl/evp.h>

struct text digest_of_request(struct text resource, const json_t *body, struct arena *arena)
{
    unsigned char *digest = arena_alloc(arena, EVP_MAX_MD_SIZE);
    unsigned length = 0;
    char *json =
        body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17)) : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    EVP_DigestUpdate(context, resource.ptr, resource.len);
    EVP_DigestUpdate(context, "\n", 1);
    EVP_DigestUpdate(context, json, json ? strlen(json) : 0);
    EVP_DigestFinal_ex(context, digest, &length);
    EVP_MD_CTX_free(context);
    free(json);
    return (struct text){(const char *)digest, length};
}
