#include "base/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/testing.h"

static struct settings settings;
static char why[512];

static int read_from(struct arena *arena, char *first, char *second)
{
    char *environment[] = {"PATH=/bin", first, second, NULL};

    return settings_read(environment, arena, &settings, why, sizeof(why));
}

static void what_is_not_given_has_its_default(void **state)
{
    assert_int_equal(read_from(*state, NULL, NULL), 0);
    assert_string_equal(settings.listen, "127.0.0.1:8080");
    assert_int_equal(settings.send_batch, 256);
    assert_int_equal(settings.level, LOG_INFO);
}

static void wrong_settings_are_refused_with_a_sentence(void **state)
{
    static const struct {
        char *first, *second;
        const char *word;
    } cases[] = {
        {"DUET_LISTNE=x", NULL, "DUET_LISTNE is no setting"},
        {"DUET_SEND_BATCH=0", NULL, "DUET_SEND_BATCH must be a whole number from 1 to 1024"},
        {"DUET_SEND_BATCH=12x", NULL, "whole number"},
        {"DUET_SEND_BATCH=", NULL, "whole number"},
        {"DUET_LOG_LEVEL=loud", NULL, "DUET_LOG_LEVEL must be"},
        {"DUET_DATABASE_URL_FILE=/nonexistent", NULL, "cannot be read"},
        {"DUET_LISTEN=a:1", "DUET_LISTEN_FILE=/dev/null", "given twice"},
        {"DUET_=x", NULL, "no setting"},
        {"DUET_LISTNE=x", NULL, "version, but DUET_LISTEN is;"},
        {"DUET_KEY_FILE=x", NULL, "version, but DUET_KEYS_FILE is;"},
        {"DUET_COLOUR=x", NULL, "version; `duetd serve --print-settings` lists all"},
        {"DUET_URL_FILE=x", NULL, "DUET_URL_FILE is no setting"},
        {"DUET_COLOUR=x", "DUET_SENDERS=0", "DUET_COLOUR"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_from(*state, cases[i].first, cases[i].second), -1);
        assert_non_null(strstr(why, cases[i].word));
    }
}

static void what_is_wrong_has_its_default_and_the_others_are_read(void **state)
{
    assert_int_equal(read_from(*state, "DUET_SENDERS=0", "DUET_LISTEN=a:1"), -1);
    assert_int_equal(settings.senders, 2);
    assert_string_equal(settings.listen, "a:1");
}

static void what_clients_are_told_is_no_concern_of_the_server(void **state)
{
    assert_int_equal(read_from(*state, "DUET_URL=http://x", "DUET_TOKEN_FILE=/none"), 0);
}

static void a_setting_can_come_from_a_file(void **state)
{
    char path[] = "/tmp/settings_test_XXXXXX";
    char variable[128];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "postgresql:///duet\n", 19), 19);
    close(fd);
    snprintf(variable, sizeof(variable), "DUET_DATABASE_URL_FILE=%s", path);
    assert_int_equal(read_from(*state, variable, NULL), 0);
    assert_string_equal(settings.database_url, "postgresql:///duet");
    assert_string_equal(settings.migrate_database_url, "postgresql:///duet");
    unlink(path);
}

static void secrets_are_not_printed(void **state)
{
    buf_auto printed = BUF(65536);

    assert_int_equal(read_from(*state, "DUET_DATABASE_URL=postgresql://u:geheim@h/d", NULL), 0);
    settings_print(&settings, &printed);
    buf_char(&printed, '\0');
    assert_null(strstr(printed.ptr, "geheim"));
    assert_non_null(strstr(printed.ptr, "DUET_DATABASE_URL=(hidden)"));
    assert_non_null(strstr(printed.ptr, "DUET_LISTEN=127.0.0.1:8080"));
}

static int make_arena(void **state)
{
    *state = arena_new();
    return 0;
}

static int free_arena(void **state)
{
    arena_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_has_its_default),
        cmocka_unit_test(wrong_settings_are_refused_with_a_sentence),
        cmocka_unit_test(what_is_wrong_has_its_default_and_the_others_are_read),
        cmocka_unit_test(what_clients_are_told_is_no_concern_of_the_server),
        cmocka_unit_test(a_setting_can_come_from_a_file),
        cmocka_unit_test(secrets_are_not_printed),
    };

    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
