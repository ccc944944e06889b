#include "http/base64url.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define CHUNK_CHARS 256 /* a multiple of four */

/* The character of plain base64 that means the same; 0 for one that is none of base64url. OpenSSL's
 * decoder would take '+', '/', '=' and white space as well. */
static unsigned char plain_of(char c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        return (unsigned char)c;
    return c == '-' ? '+' : c == '_' ? '/' : 0;
}

/* The last character of an incomplete group carries four or two bits that belong to no byte. */
static bool ends_in_zero_bits(struct text t)
{
    char last = t.ptr[t.len - 1];

    if (t.len % 4 == 2)
        return memchr("AQgw", last, 4) != NULL;
    if (t.len % 4 == 3)
        return memchr("AEIMQUYcgkosw048", last, 16) != NULL;
    return t.len % 4 == 0;
}

bool base64url_decode(struct text t, unsigned char *ret, size_t *ret_len)
{
    unsigned char chunk[CHUNK_CHARS];
    bool good = t.len == 0 || ends_in_zero_bits(t);

    for (size_t from = 0; good && from < t.len; from += CHUNK_CHARS) {
        size_t n = 0;
        for (; n < CHUNK_CHARS && from + n < t.len; n++) {
            chunk[n] = plain_of(t.ptr[from + n]);
            good = good && chunk[n];
        }
        while (n % 4)
            chunk[n++] = '=';
        good = good && EVP_DecodeBlock(ret + from / 4 * 3, chunk, (int)n) >= 0;
    }
    OPENSSL_cleanse(chunk, sizeof(chunk)); /* it may have been a secret */
    *ret_len = t.len * 3 / 4;
    return good;
}
