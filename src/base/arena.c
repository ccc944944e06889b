#include "base/arena.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/memory.h"

/* A chunk is 8 KiB, which holds a usual request; what is larger than a quarter of that gets its
 * own, so that large texts do not waste the rest of a chunk. */
#define CHUNK_BYTES 8192
#define LARGE_BYTES (CHUNK_BYTES / 4)
#define ALIGNMENT _Alignof(max_align_t)

struct chunk {
    struct chunk *next;
    _Alignas(max_align_t) char memory[];
};

struct release {
    struct release *next;
    void (*run)(void *handle);
    void *handle;
};

struct arena {
    struct arena *next_spare;
    struct chunk *chunks;
    struct release *releases;
    char *free_ptr;
    size_t free_bytes;
    _Alignas(max_align_t) char first[CHUNK_BYTES];
};

/* ---- spare arenas ---- */

/* A thread keeps some of those it has freed: a piece of this size is a request that malloc answers
 * by sorting through all that it holds. Not where the sanitizers are to see what is used too late.
 */
#ifdef __SANITIZE_ADDRESS__
#define SPARES_MAX 0
#else
#define SPARES_MAX 64
#endif

struct spares {
    struct arena *first;
    size_t n;
};

static _Thread_local struct spares spares;
static pthread_once_t spares_once = PTHREAD_ONCE_INIT;
static pthread_key_t spares_key; /* its destructor runs at the end of a thread */

static struct arena *take_spare(void)
{
    struct arena *arena = spares.first;

    if (arena) {
        spares.first = arena->next_spare;
        spares.n--;
    }
    return arena;
}

static void free_spares(void *own)
{
    (void)own;
    for (struct arena *arena; (arena = take_spare());)
        free(arena);
}

static void make_spares_key(void)
{
    pthread_key_create(&spares_key, free_spares);
}

static void keep_or_free(struct arena *arena)
{
    if (spares.n >= SPARES_MAX) {
        free(arena);
        return;
    }
    if (!spares.first) {
        pthread_once(&spares_once, make_spares_key);
        pthread_setspecific(spares_key, &spares);
    }
    arena->next_spare = spares.first;
    spares.first = arena;
    spares.n++;
}

/* ---- life ---- */

struct arena *arena_new(void)
{
    struct arena *arena = take_spare();

    /* Not zeroed as a whole: arena_alloc zeroes what it gives out. */
    if (!arena)
        arena = mem_resize(NULL, sizeof(*arena));

    arena->chunks = NULL;
    arena->releases = NULL;
    arena->free_ptr = arena->first;
    arena->free_bytes = sizeof(arena->first);
    return arena;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    for (struct release *r = arena->releases; r; r = r->next)
        r->run(r->handle);
    for (struct chunk *c = arena->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    keep_or_free(arena);
}

static char *chunk_add(struct arena *arena, size_t size)
{
    struct chunk *chunk = mem_resize(NULL, sizeof(*chunk) + size);

    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk->memory;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (size > arena->free_bytes && size > LARGE_BYTES)
        return memset(chunk_add(arena, size), 0, size);
    if (size > arena->free_bytes) {
        arena->free_ptr = chunk_add(arena, CHUNK_BYTES);
        arena->free_bytes = CHUNK_BYTES;
    }
    void *memory = arena->free_ptr;
    arena->free_ptr += size;
    arena->free_bytes -= size;
    return memset(memory, 0, size);
}

void *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    void *copy = arena_alloc(arena, size);

    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

struct text arena_text(struct arena *arena, struct text t)
{
    if (!text_present(t))
        return t;
    char *copy = arena_alloc(arena, t.len + 1);
    if (t.len)
        memcpy(copy, t.ptr, t.len);
    return (struct text){copy, t.len};
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    buf_auto text = BUF(SIZE_MAX);
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    return (char *)arena_text(arena, buf_as_text(&text)).ptr;
}

void arena_defer(struct arena *arena, void (*release)(void *handle), void *handle)
{
    struct release *r = arena_alloc(arena, sizeof(*r));

    *r = (struct release){arena->releases, release, handle};
    arena->releases = r;
}
