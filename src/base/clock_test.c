#include "base/clock.h"

#include "base/testing.h"

static void times_are_read_as_rfc_3339_has_them(void **state)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: refused */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.5Z", 500000},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1970-01-01T02:00:00+02:00", 0},
        {"2026-11-22T19:05:01.123Z", INT64_C(1795374301123000)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000)},
        {"2026-02-29T00:00:00Z", -1},
        {"2026-11-31T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-11-22T24:00:00Z", -1},
        {"2026-11-22T19:05:60Z", -1},
        {"2026-11-22 19:05:01Z", -1},
        {"2026-11-22T19:05:01", -1},
        {"2026-11-22T19:05:01.Z", -1},
        {"2026-11-22T19:05:01.1234567Z", -1},
        {"2026-11-22T19:05:01Zx", -1},
        {"2026-11-22T19:05:01+2:00", -1},
        {"-026-11-22T19:05:01Z", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = -2;
        bool good = clock_from_text(text_of(cases[i].text), &us);
        assert_int_equal(good, cases[i].us >= 0);
        if (good)
            assert_true(us == cases[i].us);
    }
}

static void times_are_written_with_milliseconds(void **state)
{
    char buffer[CLOCK_TEXT];

    (void)state;
    assert_true(text_equal(
        clock_to_text(INT64_C(1795374301123456), buffer), TEXT("2026-11-22T19:05:01.123Z")));
    assert_true(text_equal(clock_to_text(-1, buffer), TEXT("1969-12-31T23:59:59.999Z")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_as_rfc_3339_has_them),
        cmocka_unit_test(times_are_written_with_milliseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
