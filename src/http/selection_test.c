#include "http/selection.h"

#include "base/testing.h"

#define TAG "\"5e1f\""
#define GZIP_TAG "\"9a0c\""

static const struct file file = {
    .as =
        {
            [CODING_IDENTITY] = {.size = 1000, .etag = TEXT(TAG)},
            [CODING_GZIP] = {.size = 100, .etag = TEXT(GZIP_TAG)},
        },
};

static void a_range_is_read_to_the_byte(void **state)
{
    static const struct {
        const char *range;
        int status;
        int64_t position, end;
    } cases[] = {
        {NULL, 200, 0, 1000},
        {"bytes=0-0", 206, 0, 1},
        {"bytes=0-499", 206, 0, 500},
        {"bytes=500-", 206, 500, 1000},
        {"bytes=999-999", 206, 999, 1000},
        {"bytes=999-5000", 206, 999, 1000},
        {"bytes=10-99999999999999999999", 206, 10, 1000},
        {"bytes=-1", 206, 999, 1000},
        {"bytes=-1000", 206, 0, 1000},
        {"bytes=-5000", 206, 0, 1000},
        {"BYTES = 1-2", 200, 0, 1000},
        {"Bytes=1-2", 206, 1, 3},
        {"bytes= 1 - 2 ", 206, 1, 3},
        {"bytes=1000-", 416, 0, 1000},
        {"bytes=99999999999999999999-", 416, 0, 1000},
        {"bytes=-0", 416, 0, 1000},
        /* What is no single range of bytes is not looked at. */
        {"bytes=0-1,5-6", 200, 0, 1000},
        {"bytes=5-1", 200, 0, 1000},
        {"bytes=", 200, 0, 1000},
        {"bytes=-", 200, 0, 1000},
        {"bytes=5", 200, 0, 1000},
        {"bytes=+5-6", 200, 0, 1000},
        {"bytes=a-b", 200, 0, 1000},
        {"bytes=--5", 200, 0, 1000},
        {"lines=1-2", 200, 0, 1000},
        {"", 200, 0, 1000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct selecting request = {.is_get = true, .range = text_of(cases[i].range)};
        struct selection s = selection_make(&request, &file);
        if (s.status != cases[i].status || s.position != cases[i].position || s.end != cases[i].end)
            fail_msg(
                "%s: %d, %lld to %lld", cases[i].range, s.status, (long long)s.position,
                (long long)s.end);
        assert_int_equal(s.coding, CODING_IDENTITY);
    }
}

static void a_condition_comes_before_the_range(void **state)
{
    static const struct {
        const char *if_none_match, *if_range, *accept_encoding;
        int status;
        enum coding coding;
    } cases[] = {
        {TAG, NULL, NULL, 304, CODING_IDENTITY},
        {"W/" TAG, NULL, NULL, 304, CODING_IDENTITY},
        {"\"other\", " TAG, NULL, NULL, 304, CODING_IDENTITY},
        {"*", NULL, NULL, 304, CODING_IDENTITY},
        {GZIP_TAG, NULL, NULL, 206, CODING_IDENTITY},
        {NULL, TAG, NULL, 206, CODING_IDENTITY},
        {NULL, "W/" TAG, NULL, 200, CODING_IDENTITY},
        {NULL, GZIP_TAG, NULL, 200, CODING_IDENTITY},
        {NULL, "Sun, 22 Nov 2026 15:00:00 GMT", NULL, 200, CODING_IDENTITY},
        {NULL, GZIP_TAG, "gzip", 206, CODING_GZIP},
        {NULL, TAG, "gzip", 200, CODING_GZIP},
        {GZIP_TAG, NULL, "br, GZIP;q=0.5", 304, CODING_GZIP},
        {NULL, NULL, "gzip;q=0", 206, CODING_IDENTITY},
        {NULL, NULL, "gzip;q=0.000", 206, CODING_IDENTITY},
        {NULL, NULL, "br", 206, CODING_IDENTITY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct selecting request = {
            .is_get = true,
            .accept_encoding = text_of(cases[i].accept_encoding),
            .if_none_match = text_of(cases[i].if_none_match),
            .if_range = text_of(cases[i].if_range),
            .range = TEXT("bytes=1-"),
        };
        struct selection s = selection_make(&request, &file);
        if (s.status != cases[i].status || s.coding != cases[i].coding)
            fail_msg("case %zu: %d of coding %d", i, s.status, s.coding);
    }
}

static void head_knows_no_ranges(void **state)
{
    const struct selecting request = {.range = TEXT("bytes=5000-")};

    (void)state;
    assert_int_equal(selection_make(&request, &file).status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_read_to_the_byte),
        cmocka_unit_test(a_condition_comes_before_the_range),
        cmocka_unit_test(head_knows_no_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
