/* Text that grows, up to a ceiling given at its making. Past the ceiling it stays as it was and
 * remembers that it failed, so a run of appends is checked once at its end. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"

struct buf {
    char *ptr;
    size_t len;
    size_t capacity;
    size_t ceiling; /* bytes */
    bool failed;
};

/* An empty one: `buf_auto line = BUF(LINE_BYTES);` */
#define BUF(ceiling_bytes) ((struct buf){.ceiling = (ceiling_bytes)})

void buf_done(struct buf *b);
static inline void buf_done_auto(struct buf *b)
{
    buf_done(b);
}
#define buf_auto __attribute__((cleanup(buf_done_auto))) struct buf

/* What does not fit as it is: makes room, or fails. */
void buf_add_more(struct buf *b, const void *bytes, size_t size);
static inline void buf_add(struct buf *b, const void *bytes, size_t size)
{
    if (b->failed || size > b->capacity - b->len) {
        buf_add_more(b, bytes, size);
    } else if (size) {
        memcpy(b->ptr + b->len, bytes, size);
        b->len += size;
    }
}
static inline void buf_text(struct buf *b, struct text t)
{
    buf_add(b, t.ptr, t.len);
}
static inline void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void buf_clear(struct buf *b);

static inline struct text buf_as_text(const struct buf *b)
{
    return (struct text){b->ptr ? b->ptr : "", b->len};
}
