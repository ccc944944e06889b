/* Waiting with a limit, on the monotonic clock. */
#pragma once

#include <pthread.h>
#include <stdint.h>

void cond_init(pthread_cond_t *cond);
/* Returns when signalled, after `us` microseconds at the latest. */
void cond_wait_us(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t us);
