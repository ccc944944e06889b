/* The two clocks. */
#pragma once

#include <stdint.h>

#include "base/text.h"

#define USEC_PER_SEC INT64_C(1000000)

/* UTC, microseconds since 1970: for instants that are stored or shown. */
int64_t clock_now_us(void);
/* Monotonic, microseconds: for durations and deadlines. */
int64_t clock_mono_us(void);

/* "2026-11-22T19:05:01.123Z"; buffer of at least CLOCK_TEXT bytes. */
#define CLOCK_TEXT 32
struct text clock_to_text(int64_t us, char *buffer);
/* A day of the calendar, years 1 to 9999: "1990-05-17". */
bool clock_is_day(struct text t);
/* RFC 3339 with 'Z' or an offset, up to microseconds. */
bool clock_from_text(struct text t, int64_t *ret_us);
