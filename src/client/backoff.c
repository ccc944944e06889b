#include "client/backoff.h"

#define ASKED_MAX_US INT64_C(600000000)

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t backoff_next_us(struct backoff *b, uint32_t random, int64_t at_least_us)
{
    int64_t full_us = b->next_us ? b->next_us : BACKOFF_FIRST_US;
    int64_t wait_us = full_us / 2 + (int64_t)((uint64_t)random * (uint64_t)(full_us / 2) >> 32);
    int64_t asked_us = smaller(at_least_us, ASKED_MAX_US);

    b->next_us = smaller(full_us * 2, BACKOFF_MAX_US);
    /* The jitter goes on top: the server has told everybody the same. */
    return asked_us > 0 ? asked_us + wait_us : wait_us;
}
