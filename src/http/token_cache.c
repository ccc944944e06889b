#include "http/token_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define WAYS 8   /* entries of a set */
#define LOCKS 16 /* each guards every sixteenth set, for as long as a copy takes */

struct entry {
    unsigned char digest[TOKEN_DIGEST_BYTES];
    uint64_t generation; /* 0: empty */
    struct token_facts facts;
};

/* A digest may stand in one set only, which its first bytes name. */
struct set {
    struct entry entries[WAYS];
    unsigned oldest; /* of entries, when all are taken */
};

struct token_cache {
    pthread_mutex_t locks[LOCKS];
    size_t n_sets; /* a power of two */
    struct set sets[];
};

struct token_cache *token_cache_new(size_t n_entries)
{
    size_t n_sets = 1;

    while (n_sets * WAYS < n_entries)
        n_sets *= 2;
    struct token_cache *cache = mem_alloc(sizeof(*cache) + n_sets * sizeof(struct set));
    cache->n_sets = n_sets;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&cache->locks[i], NULL);
    return cache;
}

void token_cache_free(struct token_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&cache->locks[i]);
    free(cache);
}

/* The set of a digest, locked; *ret_lock is to be unlocked. */
static struct set *set_locked(
    struct token_cache *cache, const unsigned char *digest, pthread_mutex_t **ret_lock)
{
    uint64_t hash;

    memcpy(&hash, digest, sizeof(hash));
    size_t place = hash & (cache->n_sets - 1);
    *ret_lock = &cache->locks[place % LOCKS];
    pthread_mutex_lock(*ret_lock);
    return &cache->sets[place];
}

static struct entry *find(struct set *set, const unsigned char *digest)
{
    for (size_t i = 0; i < WAYS; i++) {
        struct entry *entry = &set->entries[i];
        if (entry->generation && memcmp(entry->digest, digest, TOKEN_DIGEST_BYTES) == 0)
            return entry;
    }
    return NULL;
}

bool token_cache_get(
    struct token_cache *cache,
    const unsigned char digest[TOKEN_DIGEST_BYTES],
    uint64_t generation,
    struct token_facts *ret)
{
    pthread_mutex_t *lock;
    struct set *set = set_locked(cache, digest, &lock);
    const struct entry *entry = find(set, digest);
    bool found = entry && entry->generation == generation;

    if (found)
        *ret = entry->facts;
    pthread_mutex_unlock(lock);
    return found;
}

void token_cache_put(
    struct token_cache *cache,
    const unsigned char digest[TOKEN_DIGEST_BYTES],
    uint64_t generation,
    const struct token_facts *facts)
{
    pthread_mutex_t *lock;
    struct set *set = set_locked(cache, digest, &lock);
    struct entry *entry = find(set, digest);

    if (!entry)
        entry = &set->entries[set->oldest++ % WAYS];
    memcpy(entry->digest, digest, TOKEN_DIGEST_BYTES);
    entry->generation = generation;
    entry->facts = *facts;
    pthread_mutex_unlock(lock);
}
