#include "store/users.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"

/* A set of WAYS entries for each hash; a new one replaces the oldest of its set. */
#define WAYS 4

struct entry {
    int64_t number; /* 0: empty */
    uint8_t length;
    char id[USER_ID_BYTES];
};

struct set {
    struct entry entries[WAYS];
    uint8_t oldest;
};

struct users {
    pthread_mutex_t mutex;
    size_t n_sets; /* a power of two */
    struct set sets[];
};

struct users *users_new(size_t entries)
{
    size_t n_sets = 1;

    while (n_sets * WAYS < entries)
        n_sets *= 2;
    struct users *users = mem_alloc(sizeof(*users) + n_sets * sizeof(struct set));
    users->n_sets = n_sets;
    pthread_mutex_init(&users->mutex, NULL);
    return users;
}

void users_free(struct users *users)
{
    if (!users)
        return;
    pthread_mutex_destroy(&users->mutex);
    free(users);
}

static struct set *set_of(struct users *users, struct text id)
{
    return &users->sets[text_hash(id) & (users->n_sets - 1)];
}

static struct entry *entry_of(struct set *set, struct text id)
{
    for (size_t i = 0; i < WAYS; i++) {
        struct entry *entry = &set->entries[i];
        if (entry->number && text_equal((struct text){entry->id, entry->length}, id))
            return entry;
    }
    return NULL;
}

int64_t users_find(struct users *users, struct text user_id)
{
    pthread_mutex_lock(&users->mutex);
    const struct entry *entry = entry_of(set_of(users, user_id), user_id);
    int64_t number = entry ? entry->number : 0;
    pthread_mutex_unlock(&users->mutex);
    return number;
}

void users_put(struct users *users, struct text user_id, int64_t number)
{
    if (user_id.len > USER_ID_BYTES)
        return;
    pthread_mutex_lock(&users->mutex);
    struct set *set = set_of(users, user_id);
    struct entry *entry = entry_of(set, user_id);
    if (!entry) {
        entry = &set->entries[set->oldest];
        set->oldest = (uint8_t)((set->oldest + 1) % WAYS);
    }
    entry->number = number;
    entry->length = (uint8_t)user_id.len;
    memcpy(entry->id, user_id.ptr, user_id.len);
    pthread_mutex_unlock(&users->mutex);
}

void users_forget(struct users *users, struct text user_id)
{
    pthread_mutex_lock(&users->mutex);
    struct entry *entry = entry_of(set_of(users, user_id), user_id);
    if (entry)
        entry->number = 0;
    pthread_mutex_unlock(&users->mutex);
}
