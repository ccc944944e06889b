#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

bool text_equal_nocase(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

struct text text_cut(struct text *rest, char separator)
{
    struct text all = *rest;
    const char *end = all.len ? memchr(all.ptr, separator, all.len) : NULL;

    if (!end) {
        *rest = TEXT_ABSENT;
        return all;
    }
    size_t before = (size_t)(end - all.ptr);
    *rest = (struct text){end + 1, all.len - before - 1};
    return (struct text){all.ptr, before};
}

struct text text_trim(struct text t)
{
    while (t.len && (t.ptr[0] == ' ' || t.ptr[0] == '\t')) {
        t.ptr++;
        t.len--;
    }
    while (t.len && (t.ptr[t.len - 1] == ' ' || t.ptr[t.len - 1] == '\t'))
        t.len--;
    return t;
}

bool text_to_i64(struct text t, int64_t *ret)
{
    bool negative = t.len && t.ptr[0] == '-';
    int64_t value = 0;

    if (negative) {
        t.ptr++;
        t.len--;
    }
    if (t.len == 0)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        int digit = t.ptr[i] - '0';
        if (digit < 0 || digit > 9)
            return false;
        /* Built up below zero, where there is room for one value more. */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *ret = negative ? value : -value;
    return true;
}

/* The code point at the front of t and how many bytes it takes; 0 bytes when it is not well-formed.
 */
static size_t utf8_next(const unsigned char *p, size_t len, uint32_t *ret)
{
    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || len < n)
        return 0;
    uint32_t c = p[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    bool overlong = (n == 3 && c < 0x800) || (n == 4 && c < 0x10000);
    bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    if (overlong || surrogate || c > 0x10FFFF)
        return 0;
    *ret = c;
    return n;
}

bool text_is_utf8(struct text t)
{
    uint32_t c;

    for (size_t i = 0, n; i < t.len; i += n) {
        n = utf8_next((const unsigned char *)t.ptr + i, t.len - i, &c);
        if (n == 0)
            return false;
    }
    return true;
}

bool text_has_control(struct text t)
{
    const unsigned char *p = (const unsigned char *)t.ptr;

    for (size_t i = 0; i < t.len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7F)
            return true;
        /* U+0080 to U+009F are the two bytes C2 80 to C2 9F. */
        if (p[i] == 0xC2 && i + 1 < t.len && p[i + 1] >= 0x80 && p[i + 1] < 0xA0)
            return true;
    }
    return false;
}

uint64_t text_hash(struct text t)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < t.len; i++)
        hash = (hash ^ (unsigned char)t.ptr[i]) * UINT64_C(0x100000001b3);
    return hash;
}

struct text text_whole_characters(struct text t)
{
    size_t i = t.len;

    while (i > 0 && ((unsigned char)t.ptr[i - 1] & 0xC0) == 0x80)
        i--;
    unsigned char first = i > 0 ? (unsigned char)t.ptr[i - 1] : 0;
    size_t n = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    if (n > 1 && t.len - (i - 1) < n)
        t.len = i - 1;
    return t;
}
