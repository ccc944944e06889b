#include "base/log.h"

#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/testing.h"

/* What is logged while `write_lines` runs, as it arrives on standard error. */
static size_t capture(void (*write_lines)(void), char *ret, size_t size)
{
    int ends[2];
    int standard_error = dup(STDERR_FILENO);

    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    write_lines();
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    size_t length = 0;
    for (ssize_t n; (n = read(ends[0], ret + length, size - 1 - length)) > 0;)
        length += (size_t)n;
    close(ends[0]);
    ret[length] = '\0';
    return length;
}

static void write_hostile(void)
{
    log_event(
        LOG_WARN, "test", LOG_TEXT("a", TEXT("line\nbreak \"quoted\" \\ \x1b[31m %n%s")),
        LOG_TEXT(
            "b", TEXT("sep\xE2\x80\xA8"
                      "arator \xC2\x85 \xFF bytes")),
        LOG_TEXT("absent", TEXT_ABSENT), LOG_INT("n", -5));
}

static void a_hostile_value_stays_one_json_line(void **state)
{
    char line[4096];

    (void)state;
    size_t length = capture(write_hostile, line, sizeof(line));
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
    assert_null(strchr(line, '\x1b'));
    assert_null(strstr(line, "\xE2\x80\xA8"));
    json_t *json = json_loads(line, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "event")), "test");
    assert_string_equal(json_string_value(json_object_get(json, "level")), "warn");
    assert_string_equal(
        json_string_value(json_object_get(json, "a")), "line\nbreak \"quoted\" \\ \x1b[31m %n%s");
    assert_int_equal(json_integer_value(json_object_get(json, "n")), -5);
    assert_null(json_object_get(json, "absent"));
    json_decref(json);
}

static char long_value[100000];

static void write_long(void)
{
    memset(long_value, 'x', sizeof(long_value) - 1);
    log_event(LOG_ERROR, "test", LOG_STR("long", long_value));
}

static void a_long_value_is_cut(void **state)
{
    char line[8192];

    (void)state;
    capture(write_long, line, sizeof(line));
    json_t *json = json_loads(line, 0, NULL);
    assert_int_equal(json_string_length(json_object_get(json, "long")), 1024);
    json_decref(json);
}

static void write_below_level(void)
{
    log_event(LOG_DEBUG, "test");
}

static void write_from_thread(void)
{
    log_start(LOG_INFO);
    for (int i = 0; i < 100; i++)
        log_event(LOG_INFO, "many", LOG_INT("i", i));
    log_stop();
}

static void lines_below_the_level_are_not_written(void **state)
{
    char line[256];

    (void)state;
    assert_int_equal(capture(write_below_level, line, sizeof(line)), 0);
}

static void the_thread_writes_all_before_it_stops(void **state)
{
    static char lines[65536];
    size_t n = 0;

    (void)state;
    capture(write_from_thread, lines, sizeof(lines));
    for (const char *p = lines; (p = strchr(p, '\n')); p++)
        n++;
    assert_int_equal(n, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hostile_value_stays_one_json_line),
        cmocka_unit_test(a_long_value_is_cut),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(the_thread_writes_all_before_it_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
