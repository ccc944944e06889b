/* Borrowed text: a pointer and a length, any bytes, no terminator promised.
 *
 * A struct text whose ptr is NULL is absent, which is not the same as empty. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *ptr;
    size_t len;
};

/* A literal as text; the compiler knows its length. */
#define TEXT(literal) ((struct text){"" literal, sizeof(literal) - 1})
#define TEXT_ABSENT ((struct text){NULL, 0})

/* For printf("%.*s", TEXT_ARG(t)). */
#define TEXT_ARG(t) (int)(t).len, (t).ptr ? (t).ptr : ""

static inline struct text text_of(const char *c_string)
{
    return c_string ? (struct text){c_string, strlen(c_string)} : TEXT_ABSENT;
}

static inline bool text_present(struct text t)
{
    return t.ptr != NULL;
}

/* Same bytes. Absent equals only absent. */
static inline bool text_equal(struct text a, struct text b)
{
    if (!a.ptr || !b.ptr)
        return a.ptr == b.ptr;
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* Same text but for the case of ASCII letters, as HTTP compares header names. */
bool text_equal_nocase(struct text a, struct text b);

static inline bool text_starts_with(struct text t, struct text start)
{
    return t.ptr && start.ptr && t.len >= start.len && memcmp(t.ptr, start.ptr, start.len) == 0;
}

/* Cuts what stands before the first `separator` off the front of *rest and returns it; without one,
 * returns all and leaves *rest absent. */
struct text text_cut(struct text *rest, char separator);

/* Without spaces and tabs at both ends. */
struct text text_trim(struct text t);

/* A whole decimal number, optionally with '-': false on anything else, also on trailing bytes and
 * on overflow. The only way text becomes a number in this program. */
bool text_to_i64(struct text t, int64_t *ret);

/* Well-formed UTF-8 (no surrogates, no overlong forms). */
bool text_is_utf8(struct text t);
/* Without the character that the end cuts, if it cuts one. */
struct text text_whole_characters(struct text t);

/* Holds a control character: U+0000 to U+001F or U+007F to U+009F. */
bool text_has_control(struct text t);

/* FNV-1a, 64 bits: for tables inside this process, not against an attacker. */
uint64_t text_hash(struct text t);
