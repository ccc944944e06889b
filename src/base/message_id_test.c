#include "base/message_id.h"

#include <string.h>

#include "base/testing.h"

static const struct message_id usual = {
    .receiver = 100001,
    .receiver_seq = 523,
    .sender = 99,
    .sender_seq = 12,
    .sent_at = INT64_C(1795374301123456),
    .nonce = 0xDEADBEEF,
};

static void an_id_comes_back_as_it_was(void **state)
{
    static const struct message_id ids[] = {
        {1, 1, 2, 0, 0, 0},
        {INT64_C(1) << 55, INT64_C(1) << 55, INT64_C(1) << 55, INT64_C(1) << 55, INT64_C(1) << 51,
         UINT32_MAX},
        {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, 1},
    };
    char buffer[MESSAGE_ID_TEXT];
    struct message_id back;

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct text t = message_id_to_text(&ids[i], buffer);
        assert_true(t.len < MESSAGE_ID_TEXT);
        assert_true(message_id_from_text(t, &back));
        assert_memory_equal(&back, &ids[i], sizeof(back));
    }
    assert_true(message_id_to_text(&usual, buffer).len <= 64);
}

static void every_other_spelling_is_refused(void **state)
{
    char buffer[MESSAGE_ID_TEXT], changed[MESSAGE_ID_TEXT + 1];
    struct message_id back;
    struct text t = message_id_to_text(&usual, buffer);

    (void)state;
    for (size_t length = 0; length < t.len; length++)
        assert_false(
            message_id_from_text((struct text){buffer, length}, &back) &&
            memcmp(&back, &usual, sizeof(back)) == 0);
    for (size_t i = 0; i < t.len; i++) {
        memcpy(changed, buffer, t.len);
        changed[i] = '+';
        assert_false(message_id_from_text((struct text){changed, t.len}, &back));
    }
    memcpy(changed, buffer, t.len);
    changed[t.len] = '=';
    assert_false(message_id_from_text((struct text){changed, t.len + 1}, &back));
    assert_false(message_id_from_text(TEXT(""), &back));
    assert_false(message_id_from_text(
        TEXT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_comes_back_as_it_was),
        cmocka_unit_test(every_other_spelling_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
