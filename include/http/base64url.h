/* base64url without padding (RFC 4648, section 5), as JSON Web Tokens are written. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* Room that base64url_decode needs for `len` characters: whole groups of four. */
#define BASE64URL_ROOM(len) (((len) + 3) / 4 * 3)
/* Characters that `size` bytes take. */
#define BASE64URL_CHARS(size) (((size)*4 + 2) / 3)

/* False on any other character, on padding, on an impossible length and on unused bits that are not
 * zero: each sequence of bytes has one spelling. `ret` holds BASE64URL_ROOM(t.len) bytes. */
bool base64url_decode(struct text t, unsigned char *ret, size_t *ret_len);
