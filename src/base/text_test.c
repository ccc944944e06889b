#include "base/text.h"

#include "base/testing.h"

static void numbers_are_whole_or_refused(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {"1 ", false, 0},
        {" 1", false, 0},
        {"1.0", false, 0},
        {"0x10", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 0;
        assert_int_equal(text_to_i64(text_of(cases[i].text), &value), cases[i].good);
        if (cases[i].good)
            assert_true(value == cases[i].value);
    }
}

static void utf8_is_told_from_other_bytes(void **state)
{
    static const struct {
        struct text text;
        bool good;
    } cases[] = {
        {TEXT(""), true},
        {TEXT("abc"), true},
        {TEXT("\xC3\xA9"), true},
        {TEXT("\xE2\x82\xAC"), true},
        {TEXT("\xF0\x9F\x98\x80"), true},
        {TEXT("\xF4\x8F\xBF\xBF"), true},
        {TEXT("\xC0\x80"), false},         /* overlong */
        {TEXT("\xE0\x80\x80"), false},     /* overlong */
        {TEXT("\xF0\x80\x80\x80"), false}, /* overlong */
        {TEXT("\xED\xA0\x80"), false},     /* surrogate */
        {TEXT("\xF4\x90\x80\x80"), false}, /* above U+10FFFF */
        {TEXT("\xC3"), false},
        {TEXT("a\x80"), false},
        {TEXT("\xFF"), false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(text_is_utf8(cases[i].text), cases[i].good);
}

static void control_characters_are_found(void **state)
{
    (void)state;
    assert_true(text_has_control(TEXT("a\nb")));
    assert_true(text_has_control(TEXT("\x7F")));
    assert_true(text_has_control(TEXT("a\xC2\x85")));
    assert_true(text_has_control((struct text){"\0", 1}));
    assert_false(text_has_control(TEXT("a b\xC2\xA0\xC3\x80")));
}

static void text_is_cut_at_separators(void **state)
{
    struct text rest = TEXT("a,,b");

    (void)state;
    assert_true(text_equal(text_cut(&rest, ','), TEXT("a")));
    assert_true(text_equal(text_cut(&rest, ','), TEXT("")));
    assert_true(text_equal(text_cut(&rest, ','), TEXT("b")));
    assert_false(text_present(rest));
}

static void absent_is_not_empty(void **state)
{
    (void)state;
    assert_false(text_equal(TEXT_ABSENT, TEXT("")));
    assert_true(text_equal(TEXT_ABSENT, TEXT_ABSENT));
    assert_true(text_equal(text_trim(TEXT(" \ta b\t ")), TEXT("a b")));
    assert_true(text_equal_nocase(TEXT("Content-Type"), TEXT("content-TYPE")));
}

static void a_character_that_is_cut_goes(void **state)
{
    static const char *const whole[] = {"", "a", "aé", "a€", "a😀", "éé"};

    (void)state;
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        struct text t = text_of(whole[i]);
        assert_int_equal(text_whole_characters(t).len, t.len);
        for (size_t n = 0; n < t.len; n++)
            assert_true(text_is_utf8(text_whole_characters((struct text){t.ptr, n})));
    }
    assert_int_equal(text_whole_characters((struct text){"a😀", 4}).len, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_whole_or_refused),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
        cmocka_unit_test(control_characters_are_found),
        cmocka_unit_test(text_is_cut_at_separators),
        cmocka_unit_test(absent_is_not_empty),
        cmocka_unit_test(a_character_that_is_cut_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
