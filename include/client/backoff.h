/* How long to wait before the next try: twice as long each time, up to a ceiling, and of that a
 * random part between a half and all, so that the devices of a server that went away do not come
 * back in step. */
#pragma once

#include <stdint.h>

struct backoff {
    int64_t next_us; /* what the next wait is drawn from; 0: the first one */
};

#define BACKOFF_FIRST_US INT64_C(500000)
#define BACKOFF_MAX_US INT64_C(30000000)

/* `random` is any 32 random bits. `at_least_us` is what the server has asked for; of that no more
 * than ten minutes are believed. */
int64_t backoff_next_us(struct backoff *b, uint32_t random, int64_t at_least_us);

static inline void backoff_reset(struct backoff *b)
{
    b->next_us = 0;
}
