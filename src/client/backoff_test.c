#include "client/backoff.h"

#include "base/testing.h"

static void waits_double_up_to_the_ceiling(void **state)
{
    struct backoff b = {0};
    int64_t full_us = BACKOFF_FIRST_US;

    (void)state;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(backoff_next_us(&b, UINT32_MAX, 0), full_us - 1);
        full_us = full_us * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : full_us * 2;
    }
}

static void at_least_half_is_waited(void **state)
{
    struct backoff b = {0};

    (void)state;
    assert_int_equal(backoff_next_us(&b, 0, 0), BACKOFF_FIRST_US / 2);
    assert_int_equal(backoff_next_us(&b, 0, 0), BACKOFF_FIRST_US);
}

static void after_success_it_begins_again(void **state)
{
    struct backoff b = {0};

    (void)state;
    for (int i = 0; i < 5; i++)
        backoff_next_us(&b, 0, 0);
    backoff_reset(&b);
    assert_int_equal(backoff_next_us(&b, 0, 0), BACKOFF_FIRST_US / 2);
}

static void what_the_server_asks_for_is_waited_and_not_more_than_ten_minutes(void **state)
{
    struct backoff b = {0};

    (void)state;
    assert_int_equal(backoff_next_us(&b, 0, 7000000), 7000000 + BACKOFF_FIRST_US / 2);
    assert_int_equal(backoff_next_us(&b, 0, INT64_MAX), 600000000 + BACKOFF_FIRST_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_up_to_the_ceiling),
        cmocka_unit_test(at_least_half_is_waited),
        cmocka_unit_test(after_success_it_begins_again),
        cmocka_unit_test(what_the_server_asks_for_is_waited_and_not_more_than_ten_minutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
