/* The published vectors: what other programs sign is taken, what they refuse is refused. */
#include "http/v4/usersig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <zlib.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>

#include "base/testing.h"

static json_t *vectors;
static struct text key;

static int load(void **state)
{
    (void)state;
    vectors = json_load_file(DUET_VECTORS "/usersig.json", 0, NULL);
    key = text_of(json_string_value(json_object_get(vectors, "key")));
    return vectors ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(vectors);
    return 0;
}

static const json_t *input_of(const json_t *vector)
{
    return json_object_get(vector, "input");
}

static int64_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static struct text text(const json_t *object, const char *name)
{
    return text_of(json_string_value(json_object_get(object, name)));
}

static int verify(struct text usersig, int64_t now_s, struct usersig *ret)
{
    struct arena *arena = arena_new();
    int wrong = usersig_verify(usersig, key, now_s, arena, ret);

    arena_free(arena);
    ret->identifier = TEXT_ABSENT;
    return wrong;
}

static void verifies_what_others_sign(void **state)
{
    const json_t *vector;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(vectors, "vectors"), i, vector) {
        struct usersig got;
        assert_int_equal(verify(text(vector, "usersig"), number(vector, "valid_at"), &got), 0);
        assert_int_equal(got.app_id, number(input_of(vector), "sdkappid"));
        assert_int_equal(got.made_at_s, number(input_of(vector), "time"));
        assert_int_equal(got.expires_in_s, number(input_of(vector), "expire"));
    }
}

static void ends_a_second_after_its_last(void **state)
{
    const json_t *vector;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(vectors, "vectors"), i, vector) {
        struct usersig got;
        int64_t last_s = number(vector, "last_valid_second_in_php_verifier");
        assert_int_equal(verify(text(vector, "usersig"), last_s, &got), 0);
        assert_int_equal(
            verify(text(vector, "usersig"), number(vector, "expired_at"), &got), 70001);
    }
}

static void signs_a_user_buffer_too(void **state)
{
    const json_t *vector = json_object_get(vectors, "with_userbuf");
    struct usersig got;

    (void)state;
    assert_int_equal(verify(text(vector, "usersig"), number(input_of(vector), "time"), &got), 0);
}

static void takes_any_spelling_of_one_signature(void **state)
{
    const json_t *other =
        json_object_get(json_object_get(vectors, "same_signature_other_encodings"), "items");
    const json_t *vector;
    size_t i;

    (void)state;
    assert_true(json_array_size(other) > 0);
    json_array_foreach(other, i, vector) {
        struct usersig got;
        assert_int_equal(verify(text(vector, "usersig"), 1735689610, &got), 0);
    }
}

/* Whose it is, and of which app, the server compares. */
static int code_of(const json_t *vector)
{
    const json_t *query = json_object_get(vector, "query");
    struct arena *arena = arena_new();
    struct usersig got;
    int code = usersig_verify(text(vector, "usersig"), key, number(vector, "now"), arena, &got);

    if (code == 0 && !text_equal(got.identifier, text(query, "identifier")))
        code = 70013;
    if (code == 0 && got.app_id != number(query, "sdkappid"))
        code = 70014;
    arena_free(arena);
    return code;
}

static void refuses_by_number(void **state)
{
    const json_t *vector;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(vectors, "negative"), i, vector)
        assert_int_equal(code_of(vector), number(vector, "expect_error_code"));
}

static void verifies_its_own(void **state)
{
    struct arena *arena = arena_new();
    const struct usersig of = {TEXT("用户 \"1\""), 1400000001, 1700000000, 60};
    struct usersig got;
    buf_auto made = BUF(USERSIG_TEXT_BYTES);

    (void)state;
    assert_int_equal(usersig_make(&of, key, &made), 0);
    assert_int_equal(usersig_verify(buf_as_text(&made), key, 1700000060, arena, &got), 0);
    assert_true(text_equal(got.identifier, of.identifier));
    arena_free(arena);
}

/* A changed byte is found wherever it stands, unless the text still says the same: base64 and zlib
 * have bits that mean nothing. */
static void notices_each_change(void **state)
{
    struct usersig got;
    const json_t *vector = json_array_get(json_object_get(vectors, "vectors"), 0);
    struct text good = text(vector, "usersig");
    char changed[USERSIG_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < good.len; i++) {
        memcpy(changed, good.ptr, good.len);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        int code = verify((struct text){changed, good.len}, 1700000010, &got);
        assert_true(code == 70003 || code == 70009 || code == 0);
        if (code == 0) {
            assert_int_equal(got.app_id, 1400000001);
            assert_int_equal(got.made_at_s, 1700000000);
            assert_int_equal(got.expires_in_s, 15552000);
        }
        assert_int_not_equal(verify((struct text){good.ptr, i}, 1700000010, &got), 0);
    }
}

/* The zlib stream as it stands in a query. */
static int verify_packed(const unsigned char *packed, size_t n, int64_t now_s)
{
    unsigned char encoded[USERSIG_TEXT_BYTES * 2];
    struct usersig got;
    int length = EVP_EncodeBlock(encoded, packed, (int)n);

    for (int i = 0; i < length; i++)
        encoded[i] = encoded[i] == '+'   ? '*'
                     : encoded[i] == '/' ? '-'
                     : encoded[i] == '=' ? '_'
                                         : encoded[i];
    return verify((struct text){(char *)encoded, (size_t)length}, now_s, &got);
}

static void has_nothing_behind_it(void **state)
{
    const struct usersig of = {TEXT("alice"), 1, 1700000000, 3600};
    unsigned char plain[USERSIG_TEXT_BYTES], packed[USERSIG_TEXT_BYTES];
    buf_auto made = BUF(USERSIG_TEXT_BYTES);

    (void)state;
    assert_int_equal(usersig_make(&of, key, &made), 0);
    size_t n_padding = 0;
    for (size_t i = 0; i < made.len; i++) {
        char c = made.ptr[i];
        n_padding += c == '_';
        plain[i] = (unsigned char)(c == '*' ? '+' : c == '-' ? '/' : c == '_' ? '=' : c);
    }
    int length = EVP_DecodeBlock(packed, plain, (int)made.len);
    assert_true(length > 0);
    size_t n = (size_t)length - n_padding;
    assert_int_equal(verify_packed(packed, n, 1700000000), 0);
    packed[n] = 0;
    assert_int_equal(verify_packed(packed, n + 1, 1700000000), 70003);
}

static void does_not_inflate_a_bomb(void **state)
{
    static unsigned char zeros[1 << 20], packed[4096];
    uLongf n = sizeof(packed);

    (void)state;
    memset(zeros, ' ', sizeof(zeros));
    assert_int_equal(compress(packed, &n, zeros, sizeof(zeros)), Z_OK);
    assert_int_equal(verify_packed(packed, n, 0), 70003);
}

static void is_not_dated_ahead(void **state)
{
    const struct usersig of = {TEXT("alice"), 1, 1700000000, 3600};
    struct usersig got;
    buf_auto made = BUF(USERSIG_TEXT_BYTES);

    (void)state;
    assert_int_equal(usersig_make(&of, key, &made), 0);
    assert_int_equal(verify(buf_as_text(&made), 1700000000 - USERSIG_LEEWAY_SECONDS, &got), 0);
    assert_int_equal(
        verify(buf_as_text(&made), 1700000000 - USERSIG_LEEWAY_SECONDS - 1, &got), 70003);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifies_what_others_sign),
        cmocka_unit_test(ends_a_second_after_its_last),
        cmocka_unit_test(signs_a_user_buffer_too),
        cmocka_unit_test(takes_any_spelling_of_one_signature),
        cmocka_unit_test(refuses_by_number),
        cmocka_unit_test(verifies_its_own),
        cmocka_unit_test(notices_each_change),
        cmocka_unit_test(has_nothing_behind_it),
        cmocka_unit_test(does_not_inflate_a_bomb),
        cmocka_unit_test(is_not_dated_ahead),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
