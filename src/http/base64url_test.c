#include "http/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "token_testing.h"

static void every_length_comes_back_as_it_went(void **state)
{
    struct arena *arena = arena_new();
    unsigned char bytes[600], decoded[BASE64URL_ROOM(BASE64URL_CHARS(sizeof(bytes)))];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 167 + 3);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        char *text = testing_base64url(arena, bytes, size);
        assert_int_equal(strlen(text), BASE64URL_CHARS(size));
        assert_true(base64url_decode(text_of(text), decoded, &len));
        assert_int_equal(len, size);
        assert_memory_equal(decoded, bytes, size);
    }
    arena_free(arena);
}

static void only_one_spelling_is_taken(void **state)
{
    static const char *const wrong[] = {
        "A",      "AAAAA", "AA==",  "AAA=",  "AAAA=", "A+AA",   "A/AA", "AA AA",
        "AAAA\n", "\nAAA", "AA~A",  "AB",    "A_",    "AAB",    "AA-",  "\xc3\x84\xc3\x84",
        "A=AA",   "====",  "A\tAA", "AA-_.", " ",     "AAAA  ", "QUJ",
    };
    unsigned char decoded[64];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (base64url_decode(text_of(wrong[i]), decoded, &len))
            fail_msg("\"%s\"", wrong[i]);
    }
}

static void a_nul_byte_is_no_character(void **state)
{
    unsigned char decoded[8];
    size_t len;

    (void)state;
    assert_false(base64url_decode(TEXT("AA\0A"), decoded, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_comes_back_as_it_went),
        cmocka_unit_test(only_one_spelling_is_taken),
        cmocka_unit_test(a_nul_byte_is_no_character),
    };

    return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}
