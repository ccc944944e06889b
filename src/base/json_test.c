#include "base/json.h"

#include <stdlib.h>

#include "base/testing.h"

static void a_tree_is_written_as_it_was_read(void **state)
{
    static const char *const documents[] = {
        "{}",
        "[]",
        "{\"a\":{\"b\":[1,-2,0.5,true,false,null,\"x\"]},\"c\":[[],{}]}",
        "{\"n\":[9223372036854775807,-9223372036854775808,1e300,-1.5e-7]}",
        "{\"\\\"\\\\\\n\\t\\u007f\\u0085\\u2028\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x91\x8b\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        json_auto_t *read = json_loads(documents[i], JSON_DECODE_ANY, NULL);
        assert_non_null(read);
        buf_auto written = BUF(4096);
        json_write_tree(&written, read);
        json_auto_t *again = json_loadb(written.ptr, written.len, JSON_DECODE_ANY, NULL);
        assert_true(json_equal(read, again));
    }
}

static void a_real_is_as_short_as_it_may_be_and_stays_one(void **state)
{
    static const char *const numbers[] = {
        "0.1",  "54.3233", "29.340656774469956", "116.77497920478824", "1e+300", "-1.5e-07",
        "30.0", "-0.0",    "0.30000000000000004"};

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        buf_auto written = BUF(64);
        json_write_real(&written, strtod(numbers[i], NULL));
        buf_char(&written, '\0');
        assert_string_equal(written.ptr, numbers[i]);
    }
}

static void what_it_writes_is_one_line_without_blanks(void **state)
{
    json_auto_t *read =
        json_loads("{ \"a\" : [ 1 , \"\\u2029\\u0090\\n\" ] , \"b\" : 1.0 }", 0, NULL);

    (void)state;
    buf_auto written = BUF(4096);
    json_write_tree(&written, read);
    buf_char(&written, '\0');
    assert_string_equal(written.ptr, "{\"a\":[1,\"\\u2029\\u0090\\n\"],\"b\":1.0}");
}

static void what_is_too_long_fails(void **state)
{
    json_auto_t *read = json_loads("[\"0123456789\",1.5]", 0, NULL);

    (void)state;
    for (size_t ceiling = 0; ceiling < strlen("[\"0123456789\",1.5]"); ceiling++) {
        buf_auto written = BUF(ceiling);
        json_write_tree(&written, read);
        assert_true(written.failed);
        assert_true(written.len <= ceiling);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_written_as_it_was_read),
        cmocka_unit_test(a_real_is_as_short_as_it_may_be_and_stays_one),
        cmocka_unit_test(what_it_writes_is_one_line_without_blanks),
        cmocka_unit_test(what_is_too_long_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
