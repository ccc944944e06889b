#include "store/users.h"

#include <stdio.h>

#include "base/testing.h"

static void a_number_is_found_until_it_is_forgotten(void **state)
{
    struct users *users = users_new(64);

    (void)state;
    assert_int_equal(users_find(users, TEXT("ann")), 0);
    users_put(users, TEXT("ann"), 7);
    assert_int_equal(users_find(users, TEXT("ann")), 7);
    users_put(users, TEXT("ann"), 8);
    assert_int_equal(users_find(users, TEXT("ann")), 8);
    users_forget(users, TEXT("ann"));
    assert_int_equal(users_find(users, TEXT("ann")), 0);
    users_free(users);
}

static void a_full_cache_gives_wrong_numbers_to_nobody(void **state)
{
    struct users *users = users_new(16);
    char id[32];
    int found = 0;

    (void)state;
    for (int i = 1; i <= 1000; i++) {
        snprintf(id, sizeof(id), "user-%d", i);
        users_put(users, text_of(id), i);
    }
    for (int i = 1; i <= 1000; i++) {
        snprintf(id, sizeof(id), "user-%d", i);
        int64_t number = users_find(users, text_of(id));
        assert_true(number == 0 || number == i);
        found += number != 0;
    }
    assert_true(found > 0 && found <= 16);
    users_free(users);
}

static void an_id_that_is_too_long_is_not_kept(void **state)
{
    struct users *users = users_new(16);
    char id[USER_ID_BYTES + 2];

    (void)state;
    memset(id, 'x', sizeof(id));
    users_put(users, (struct text){id, USER_ID_BYTES}, 1);
    users_put(users, (struct text){id, USER_ID_BYTES + 1}, 2);
    assert_int_equal(users_find(users, (struct text){id, USER_ID_BYTES}), 1);
    assert_int_equal(users_find(users, (struct text){id, USER_ID_BYTES + 1}), 0);
    users_free(users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_found_until_it_is_forgotten),
        cmocka_unit_test(a_full_cache_gives_wrong_numbers_to_nobody),
        cmocka_unit_test(an_id_that_is_too_long_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
