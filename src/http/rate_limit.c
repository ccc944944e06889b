#include "http/rate_limit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/memory.h"

#define WAYS 8   /* entries of a set */
#define LOCKS 64 /* each guards every 64th set, for as long as a look at its entries takes */
#define NSEC_PER_SEC INT64_C(1000000000)
#define NSEC_PER_USEC INT64_C(1000)
/* No sum of a clock and of this overflows, for a hundred years. */
#define LONGEST_NS (INT64_MAX / 4)

/* Of the caller only a hash is kept. Its key is random and secret, so that nobody can look for a
 * name that shares an entry with another; by chance two of 65,536 do once in ten thousand million.
 */
struct entry {
    uint64_t hash;
    int64_t full_at_ns; /* all requests are back; in the past: the entry is free */
};

struct set {
    struct entry entries[WAYS];
};

struct limit {
    uint64_t key[2];
    const char *name;
    char policy[96];
    int64_t interval_ns; /* for one request to come back; 0: no limit */
    int64_t window_ns;   /* for all of them */
};

struct rate_limit {
    struct limit limits[RATE_KINDS];
    pthread_mutex_t locks[LOCKS];
    size_t n_sets; /* a power of two */
    struct set sets[];
};

static const char *const names[RATE_KINDS] = {[RATE_USER] = "user", [RATE_BACKEND] = "backend"};

/* ---- life ---- */

static int64_t at_least(int64_t value, int64_t least)
{
    return value > least ? value : least;
}

static int64_t seconds_up(int64_t ns)
{
    return (ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
}

static void make_key(uint64_t ret[2])
{
    if (getrandom(ret, 2 * sizeof(*ret), 0) == 2 * sizeof(*ret))
        return;
    ret[0] = (uint64_t)clock_now_us();
    ret[1] = (uint64_t)clock_mono_us();
}

static void limit_init(struct limit *limit, const char *name, struct rate_policy policy)
{
    make_key(limit->key);
    limit->name = name;
    if (policy.per_second <= 0)
        return;
    limit->interval_ns = at_least(NSEC_PER_SEC / policy.per_second, 1);
    if (__builtin_mul_overflow(limit->interval_ns, at_least(policy.burst, 1), &limit->window_ns) ||
        limit->window_ns > LONGEST_NS)
        limit->window_ns = LONGEST_NS / limit->interval_ns * limit->interval_ns;
    snprintf(
        limit->policy, sizeof(limit->policy), "\"%s\";q=%lld;w=%lld", name,
        (long long)(limit->window_ns / limit->interval_ns),
        (long long)seconds_up(limit->window_ns));
}

struct rate_limit *rate_limit_new(const struct rate_policy policies[RATE_KINDS], size_t n_entries)
{
    size_t n_sets = 1;

    while (n_sets * WAYS < n_entries)
        n_sets *= 2;
    struct rate_limit *limits = mem_alloc(sizeof(*limits) + n_sets * sizeof(struct set));
    limits->n_sets = n_sets;
    for (size_t i = 0; i < RATE_KINDS; i++)
        limit_init(&limits->limits[i], names[i], policies[i]);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&limits->locks[i], NULL);
    return limits;
}

void rate_limit_free(struct rate_limit *limits)
{
    if (!limits)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&limits->locks[i]);
    free(limits);
}

/* ---- the hash: SipHash-2-4 ---- */

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

static uint64_t hash_of(const uint64_t key[2], struct text t)
{
    uint64_t v[4] = {
        key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
        key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word;
    size_t i = 0;

    for (; i + sizeof(word) <= t.len; i += sizeof(word)) {
        memcpy(&word, t.ptr + i, sizeof(word));
        sip_word(v, word);
    }
    word = 0;
    if (i < t.len)
        memcpy(&word, t.ptr + i, t.len - i);
    sip_word(v, word | (uint64_t)t.len << 56);
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- counting ---- */

/* The caller's entry, or the one to be given to it. */
static struct entry *entry_of(struct set *set, uint64_t hash)
{
    struct entry *first = &set->entries[0];

    for (size_t i = 0; i < WAYS; i++) {
        struct entry *entry = &set->entries[i];
        if (entry->hash == hash)
            return entry;
        if (entry->full_at_ns < first->full_at_ns)
            first = entry;
    }
    return first;
}

/* When all requests of a caller are back: not in the past, and no later than when none is left,
 * though the clock went back. */
static int64_t full_at(
    const struct limit *limit, const struct entry *entry, uint64_t hash, int64_t now)
{
    if (entry->hash != hash || entry->full_at_ns < now)
        return now;
    return entry->full_at_ns < now + limit->window_ns ? entry->full_at_ns : now + limit->window_ns;
}

bool rate_limit_take(
    struct rate_limit *limits,
    enum rate_kind kind,
    struct text subject,
    int64_t now_us,
    struct rate_state *ret)
{
    const struct limit *limit = &limits->limits[kind];
    int64_t now = now_us * NSEC_PER_USEC;

    *ret = (struct rate_state){.policy = NULL};
    if (limit->interval_ns == 0)
        return true;
    uint64_t hash = hash_of(limit->key, subject);
    size_t place = hash & (limits->n_sets - 1);
    pthread_mutex_t *lock = &limits->locks[place % LOCKS];
    pthread_mutex_lock(lock);
    struct entry *entry = entry_of(&limits->sets[place], hash);
    int64_t full = full_at(limit, entry, hash, now);
    bool allowed = full + limit->interval_ns - now <= limit->window_ns;
    if (allowed)
        full += limit->interval_ns;
    *entry = (struct entry){hash, full};
    pthread_mutex_unlock(lock);
    *ret = (struct rate_state){
        .policy = limit->policy,
        .name = limit->name,
        .remaining = (limit->window_ns - (full - now)) / limit->interval_ns,
        .full_in_s = seconds_up(full - now),
    };
    return allowed;
}
