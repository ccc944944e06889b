#include "base/thread.h"

#include <time.h>

#include "base/clock.h"

void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

void cond_wait_us(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t us)
{
    int64_t until = clock_mono_us() + us;
    const struct timespec at = {until / USEC_PER_SEC, until % USEC_PER_SEC * 1000};

    pthread_cond_timedwait(cond, mutex, &at);
}
