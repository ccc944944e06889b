#include "http/rate_limit.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/testing.h"

#define START_US (1000 * USEC_PER_SEC)
#define INTERVAL_US                                                                                \
    (USEC_PER_SEC / 4) /* of the policy that most tests have: 4 a second, 10 at once */
#define BURST 10
#define ENTRIES 64

static struct rate_limit *limits_of(int64_t per_second, int64_t burst, size_t n_entries)
{
    const struct rate_policy policies[RATE_KINDS] = {[RATE_USER] = {per_second, burst}};

    return rate_limit_new(policies, n_entries);
}

static struct rate_state state;

static bool take(struct rate_limit *limits, const char *subject, int64_t now_us)
{
    return rate_limit_take(limits, RATE_USER, text_of(subject), now_us, &state);
}

/* How many of `n` requests at one moment are allowed. */
static int allowed_of(struct rate_limit *limits, const char *subject, int n, int64_t now_us)
{
    int allowed = 0;

    for (int i = 0; i < n; i++)
        allowed += take(limits, subject, now_us);
    return allowed;
}

static void all_at_once_are_allowed_and_then_none(void **unused)
{
    struct rate_limit *limits = limits_of(4, BURST, ENTRIES);

    (void)unused;
    for (int i = 1; i <= BURST; i++) {
        assert_true(take(limits, "ann", START_US));
        assert_string_equal(state.policy, "\"user\";q=10;w=3");
        assert_string_equal(state.name, "user");
        assert_int_equal(state.remaining, BURST - i);
        assert_int_equal(state.full_in_s, (i + 3) / 4);
    }
    for (int i = 0; i < 3; i++) {
        assert_false(take(limits, "ann", START_US));
        assert_int_equal(state.remaining, 0);
        assert_int_equal(state.full_in_s, 3);
    }
    rate_limit_free(limits);
}

static void they_come_back_one_by_one(void **unused)
{
    struct rate_limit *limits = limits_of(4, BURST, ENTRIES);
    int64_t now = START_US;

    (void)unused;
    assert_int_equal(allowed_of(limits, "ann", BURST, now), BURST);
    for (int i = 0; i < 20; i++) {
        assert_false(take(limits, "ann", now + INTERVAL_US - 1));
        now += INTERVAL_US;
        assert_true(take(limits, "ann", now));
        assert_false(take(limits, "ann", now));
    }
    now += 3 * INTERVAL_US;
    assert_int_equal(allowed_of(limits, "ann", BURST, now), 3);
    rate_limit_free(limits);
}

static void no_more_are_saved_up_than_may_be_made_at_once(void **unused)
{
    struct rate_limit *limits = limits_of(4, BURST, ENTRIES);

    (void)unused;
    assert_int_equal(allowed_of(limits, "ann", BURST, START_US), BURST);
    assert_int_equal(allowed_of(limits, "ann", 100, START_US + 86400 * USEC_PER_SEC), BURST);
    rate_limit_free(limits);
}

static void whoever_is_refused_has_one_within_a_second(void **unused)
{
    static const int64_t rates[] = {1, 3, 7, 20, 999, 1000000};

    (void)unused;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct rate_limit *limits = limits_of(rates[i], 2, ENTRIES);
        while (take(limits, "ann", START_US))
            ;
        assert_true(take(limits, "ann", START_US + USEC_PER_SEC));
        rate_limit_free(limits);
    }
}

static void over_a_long_time_the_rate_is_kept(void **unused)
{
    static const int64_t rates[] = {1, 3, 7, 20, 999};
    const int64_t seconds = 50;

    (void)unused;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct rate_limit *limits = limits_of(rates[i], 5, ENTRIES);
        int64_t allowed = 0;
        for (int64_t us = 0; us < seconds * USEC_PER_SEC; us += 500)
            allowed += take(limits, "ann", START_US + us);
        assert_in_range(allowed, 5 + rates[i] * seconds - 1, 5 + rates[i] * seconds);
        rate_limit_free(limits);
    }
}

static void callers_do_not_share(void **unused)
{
    const struct rate_policy policies[RATE_KINDS] = {
        [RATE_USER] = {4, BURST}, [RATE_BACKEND] = {1, 2}};
    struct rate_limit *limits = rate_limit_new(policies, ENTRIES);

    (void)unused;
    assert_int_equal(allowed_of(limits, "ann", 100, START_US), BURST);
    assert_int_equal(allowed_of(limits, "bob", 100, START_US), BURST);
    assert_int_equal(allowed_of(limits, "ann-with-a-long-name", 100, START_US), BURST);
    assert_int_equal(allowed_of(limits, "ann-with-a-long-namf", 100, START_US), BURST);
    for (int i = 1; i >= 0; i--) {
        assert_true(rate_limit_take(limits, RATE_BACKEND, TEXT("ann"), START_US, &state));
        assert_string_equal(state.policy, "\"backend\";q=2;w=2");
        assert_int_equal(state.remaining, i);
    }
    assert_false(rate_limit_take(limits, RATE_BACKEND, TEXT("ann"), START_US, &state));
    assert_false(take(limits, "ann", START_US));
    rate_limit_free(limits);
}

static void without_a_rate_there_is_no_limit(void **unused)
{
    struct rate_limit *limits = limits_of(0, 1, ENTRIES);

    (void)unused;
    state.policy = "something";
    assert_int_equal(allowed_of(limits, "ann", 1000, START_US), 1000);
    assert_null(state.policy);
    rate_limit_free(limits);
}

/* Two threads may have read it in the other order. */
static void a_clock_that_is_a_little_behind_gives_nothing(void **unused)
{
    struct rate_limit *limits = limits_of(4, BURST, ENTRIES);

    (void)unused;
    assert_int_equal(allowed_of(limits, "ann", BURST, START_US), BURST);
    for (int i = 0; i < 100; i++)
        assert_false(take(limits, "ann", START_US - i));
    assert_false(take(limits, "ann", START_US));
    assert_true(take(limits, "ann", START_US + INTERVAL_US));
    assert_false(take(limits, "ann", START_US + INTERVAL_US - 1));
    assert_int_equal(state.remaining, 0);
    rate_limit_free(limits);
}

static void a_clock_that_steps_back_locks_nobody_out(void **unused)
{
    struct rate_limit *limits = limits_of(4, BURST, ENTRIES);

    (void)unused;
    assert_int_equal(allowed_of(limits, "ann", BURST, START_US), BURST);
    assert_int_equal(allowed_of(limits, "ann", 100, 0), 0);
    assert_int_equal(state.full_in_s, 3);
    assert_int_equal(allowed_of(limits, "ann", 100, INTERVAL_US), 1);
    assert_int_equal(allowed_of(limits, "ann", 100, 2 * INTERVAL_US), 1);
    rate_limit_free(limits);
}

static void a_full_table_is_never_stricter(void **unused)
{
    struct rate_limit *limits = limits_of(4, BURST, 8); /* one set */
    char name[16];

    (void)unused;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "user-%d", i);
        assert_true(allowed_of(limits, name, BURST, START_US) == BURST);
    }
    rate_limit_free(limits);
}

static void a_full_table_gives_up_who_is_nearest_to_being_free(void **unused)
{
    struct rate_limit *limits = limits_of(4, BURST, 8); /* one set */
    char name[16];

    (void)unused;
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "user-%d", i);
        assert_int_equal(allowed_of(limits, name, i + 2, START_US), i + 2);
    }
    assert_true(take(limits, "new", START_US)); /* in the place of user-0 */
    for (int i = 7; i > 0; i--) {
        snprintf(name, sizeof(name), "user-%d", i);
        assert_int_equal(allowed_of(limits, name, BURST, START_US), BURST - i - 2);
    }
    assert_true(take(limits, "user-0", START_US)); /* in the place of "new" */
    assert_int_equal(state.remaining, BURST - 1);
    rate_limit_free(limits);
}

static void huge_limits_do_not_overflow(void **unused)
{
    static const struct rate_policy policies[] = {
        {1, INT64_MAX}, {INT64_MAX, 1},     {INT64_MAX, INT64_MAX},
        {1, 1000000},   {1000000, 1000000}, {1000000, 1},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        struct rate_limit *limits = limits_of(policies[i].per_second, policies[i].burst, ENTRIES);
        for (int64_t now = START_US; now < INT64_MAX / 4000; now *= 4) {
            assert_true(take(limits, "ann", now));
            assert_in_range(state.remaining, 0, policies[i].burst - 1);
            assert_true(state.full_in_s >= 1);
        }
        rate_limit_free(limits);
    }
}

static void a_burst_below_one_is_one(void **unused)
{
    struct rate_limit *limits = limits_of(1, 0, ENTRIES);

    (void)unused;
    assert_true(take(limits, "ann", START_US));
    assert_false(take(limits, "ann", START_US + USEC_PER_SEC - 1));
    assert_true(take(limits, "ann", START_US + USEC_PER_SEC));
    rate_limit_free(limits);
}

#define THREADS 4
#define EACH 2000

struct taker {
    struct rate_limit *limits;
    int allowed;
};

static void *take_many(void *argument)
{
    struct taker *taker = argument;
    struct rate_state own;
    char name[16];

    for (int i = 0; i < EACH; i++) {
        snprintf(name, sizeof(name), "user-%d", i % 100);
        taker->allowed += rate_limit_take(taker->limits, RATE_USER, text_of(name), START_US, &own);
    }
    return NULL;
}

static void threads_count_together(void **unused)
{
    struct rate_limit *limits = limits_of(4, BURST, 65536);
    struct taker takers[THREADS];
    pthread_t threads[THREADS];
    int allowed = 0;

    (void)unused;
    for (size_t i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){.limits = limits};
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        allowed += takers[i].allowed;
    }
    assert_int_equal(allowed, 100 * BURST);
    rate_limit_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once_are_allowed_and_then_none),
        cmocka_unit_test(they_come_back_one_by_one),
        cmocka_unit_test(no_more_are_saved_up_than_may_be_made_at_once),
        cmocka_unit_test(whoever_is_refused_has_one_within_a_second),
        cmocka_unit_test(over_a_long_time_the_rate_is_kept),
        cmocka_unit_test(callers_do_not_share),
        cmocka_unit_test(without_a_rate_there_is_no_limit),
        cmocka_unit_test(a_clock_that_is_a_little_behind_gives_nothing),
        cmocka_unit_test(a_clock_that_steps_back_locks_nobody_out),
        cmocka_unit_test(a_full_table_is_never_stricter),
        cmocka_unit_test(a_full_table_gives_up_who_is_nearest_to_being_free),
        cmocka_unit_test(huge_limits_do_not_overflow),
        cmocka_unit_test(a_burst_below_one_is_one),
        cmocka_unit_test(threads_count_together),
    };

    return cmocka_run_group_tests_name("rate_limit", tests, NULL, NULL);
}
