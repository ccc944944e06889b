/* What both measuring programs need: a clock, a histogram of durations, and the users that a
 * message goes between, so that the server and the bare function are given the same work. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MEASURE_STEPS = 64, /* buckets from one power of two to the next: an error of at most 1.6 % */
    MEASURE_BUCKETS = 58 * MEASURE_STEPS + MEASURE_STEPS,
    MEASURE_USER_DIGITS = 6, /* ids have one length, so that they can be patched into a request */
};

#define NS_PER_S 1000000000ULL

/* A prime above any number of users: stepping by it visits each of them once. */
#define MEASURE_STRIDE 982451653ULL

static inline _Noreturn void measure_die(const char *what, const char *detail)
{
    (void)fprintf(stderr, "%s: %s\n", what, detail);
    exit(1);
}

static inline uint64_t measure_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

struct histogram {
    uint64_t count;
    uint64_t max_ns;
    uint64_t buckets[MEASURE_BUCKETS];
};

static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
    unsigned shift = ns < 2 * MEASURE_STEPS ? 0 : 57U - (unsigned)__builtin_clzll(ns);

    histogram->buckets[(size_t)shift * MEASURE_STEPS + (size_t)(ns >> shift)]++;
    histogram->count++;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

static inline void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i < MEASURE_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
}

/* The upper end, in microseconds, of the bucket that the `part` (0 to 1) of all durations reaches.
 */
static inline double histogram_quantile_us(const struct histogram *histogram, double part)
{
    uint64_t rank = (uint64_t)(part * (double)histogram->count) + 1;
    uint64_t seen = 0;

    if (histogram->count == 0)
        return 0;
    for (size_t i = 0; i < MEASURE_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank || seen == histogram->count) {
            size_t shift = i < 2 * MEASURE_STEPS ? 0 : i / MEASURE_STEPS - 1;
            uint64_t end = (uint64_t)(i - shift * MEASURE_STEPS + 1) << shift;

            return (double)(end < histogram->max_ns ? end : histogram->max_ns) / 1000;
        }
    }
    return (double)histogram->max_ns / 1000;
}

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* Who writes to whom. The user of rank r takes part in proportion to r ** (1 / skew - 1), near
 * enough: with a skew of 3 the busiest of 100,000 users sends 2 % of all messages, the busiest
 * hundredth 21 %, the busiest fifth 58 %; with 1 all are alike. Ranks are scattered over the
 * numbers, because nobody becomes busy in the order of registration.
 *
 * Each user writes to `contacts` others only, always the same ones, to the first of them most. They
 * are drawn by the same rule, so busy users are also those who are written to. */
struct crowd {
    uint64_t users;
    uint64_t contacts;
    uint64_t skew;
};

static inline uint64_t skewed(uint64_t below, uint64_t skew, uint64_t *random)
{
    double even = (double)(random_next(random) >> 11) * 0x1p-53;
    double place = (double)below;

    for (uint64_t i = 0; i < skew; i++)
        place *= even;
    return (uint64_t)place;
}

static inline uint64_t crowd_sender(const struct crowd *crowd, uint64_t *random)
{
    return skewed(crowd->users, crowd->skew, random) * MEASURE_STRIDE % crowd->users;
}

static inline uint64_t crowd_receiver(const struct crowd *crowd, uint64_t sender, uint64_t *random)
{
    uint64_t contact = skewed(crowd->contacts, crowd->skew, random);
    uint64_t of_the_pair = sender * crowd->contacts + contact;
    uint64_t receiver;

    do
        receiver = crowd_sender(crowd, &of_the_pair);
    while (receiver == sender);
    return receiver;
}

/* Right-aligned digits over what stands at `at`. */
static inline void patch_digits(char *at, size_t digits, uint64_t number)
{
    for (size_t i = digits; i > 0; i--) {
        at[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* One option of a command line, and the variable that it sets. */
struct option {
    const char *name;
    enum {
        OPTION_TEXT,    /* const char * */
        OPTION_NUMBER,  /* uint64_t */
        OPTION_SECONDS, /* double */
        OPTION_ON,      /* bool, set to true; takes no value */
        OPTION_OFF,     /* bool, set to false; takes no value */
    } kind;
    void *variable;
};

static inline bool option_is_switch(const struct option *option)
{
    return option->kind == OPTION_ON || option->kind == OPTION_OFF;
}

static inline void option_set(const struct option *option, const char *value)
{
    char *end = NULL;

    if (option_is_switch(option)) {
        *(bool *)option->variable = option->kind == OPTION_ON;
        return;
    }
    if (!value || !*value)
        measure_die(option->name, "wants a value");
    if (option->kind == OPTION_TEXT) {
        *(const char **)option->variable = value;
        return;
    }
    if (option->kind == OPTION_NUMBER)
        *(uint64_t *)option->variable = strtoull(value, &end, 10);
    else
        *(double *)option->variable = strtod(value, &end);
    if (*end || *value < '0' || *value > '9')
        measure_die(option->name, "wants a number");
}

static inline void options_read(const struct option *options, char **arguments)
{
    while (*++arguments) {
        const struct option *option = options;

        while (option->name && strcmp(option->name, *arguments) != 0)
            option++;
        if (!option->name)
            measure_die(*arguments, "is no option; they stand in tests/bench/README.md");
        option_set(option, option_is_switch(option) ? NULL : *++arguments);
    }
}

static inline void crowd_check(const struct crowd *crowd, const char *prefix)
{
    uint64_t most = 1;

    for (int i = 0; i < MEASURE_USER_DIGITS; i++)
        most *= 10;
    if (crowd->users < 2 || crowd->users > most)
        measure_die("--users", "wants 2 to 1000000");
    if (crowd->contacts < 1 || crowd->contacts > crowd->users)
        measure_die("--contacts", "wants 1 up to the number of users");
    if (crowd->skew < 1 || crowd->skew > 8)
        measure_die("--skew", "wants 1 to 8");
    if (strlen(prefix) + MEASURE_USER_DIGITS > 64)
        measure_die("--prefix", "is too long for an id");
}

#endif
