#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* A usual reply fits, and malloc still keeps such pieces at hand for each thread. */
#define FIRST_BYTES 1000

void buf_done(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

/* Room for `size` bytes more; false past the ceiling. */
static bool buf_reserve(struct buf *b, size_t size)
{
    if (b->failed || size > b->ceiling - b->len) {
        b->failed = true;
        return false;
    }
    if (b->len + size <= b->capacity)
        return true;
    size_t capacity = b->capacity ? b->capacity : FIRST_BYTES;
    while (capacity < b->len + size)
        capacity *= 2;
    if (capacity > b->ceiling)
        capacity = b->ceiling; /* so that whoever finds room need not look at the ceiling */
    b->ptr = mem_resize(b->ptr, capacity);
    b->capacity = capacity;
    return true;
}

void buf_add_more(struct buf *b, const void *bytes, size_t size)
{
    if (size == 0 || !buf_reserve(b, size))
        return;
    memcpy(b->ptr + b->len, bytes, size);
    b->len += size;
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    char small[512];
    va_list again;

    va_copy(again, args);
    int length = vsnprintf(small, sizeof(small), format, args);
    if (length >= 0 && (size_t)length < sizeof(small)) {
        buf_add(b, small, (size_t)length);
    } else if (length >= 0 && buf_reserve(b, (size_t)length + 1)) {
        vsnprintf(b->ptr + b->len, (size_t)length + 1, format, again);
        b->len += (size_t)length;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}
