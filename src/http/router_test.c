#include "http/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Which operation stands behind a row does not matter here. */
static const struct route table[] = {
    {METHOD_GET, "/healthz", NULL, SCOPE_PUBLIC, OWN_NONE, 200},
    {METHOD_PUT, "/v1/users/{user}", NULL, SCOPE_ADMIN, OWN_NONE, 201},
    {METHOD_GET, "/v1/users/{user}", NULL, SCOPE_ADMIN, OWN_NONE, 200},
    {METHOD_GET, "/v1/messages/{id}", NULL, SCOPE_ADMIN, OWN_NONE, 200},
    {METHOD_POST, "/v1/messages", NULL, SCOPE_ADMIN, OWN_NONE, 201},
    {METHOD_POST, "/v1/messages/batch", NULL, SCOPE_ADMIN, OWN_NONE, 200},
    {METHOD_GET, "/v1/users/{user}/messages", NULL, SCOPE_ADMIN, OWN_NONE, 200},
    {METHOD_PUT, "/v1/users/{user}/friends/{peer}", NULL, SCOPE_ADMIN, OWN_NONE, 200},
};
#define N_ROUTES (sizeof(table) / sizeof(table[0]))

struct fixture {
    struct arena *arena;
    struct match match;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->arena = arena_new();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    free(f);
    return 0;
}

static int route_it(struct fixture *f, const char *method, struct text target)
{
    err_init(&f->err, f->arena);
    return router_match(table, N_ROUTES, method, target, f->arena, &f->match, &f->err);
}

static void assert_code(
    struct fixture *f, const char *method, const char *target, enum err_code code)
{
    int result = route_it(f, method, text_of(target));

    if (f->err.code != code || result != (code == ERR_NONE ? 0 : -1))
        fail_msg(
            "%s %s: %s (%s)", method, target, err_info(f->err.code)->code,
            f->err.detail ? f->err.detail : "-");
}

static void assert_text(struct text t, const char *expected)
{
    if (!text_equal(t, text_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", TEXT_ARG(t), expected);
}

static void method_and_path_choose_the_row(void **state)
{
    static const struct {
        const char *method, *target;
        size_t row;
    } cases[] = {
        {"GET", "/healthz", 0},
        {"HEAD", "/healthz", 0},
        {"PUT", "/v1/users/ann", 1},
        {"GET", "/v1/users/ann", 2},
        {"GET", "/v1/users/ann?", 2},
        {"GET", "/v1/%75sers/ann", 2},
        {"HEAD", "/v1/messages/abc", 3},
        {"POST", "/v1/messages", 4},
        {"POST", "/v1/messages/batch", 5},
        {"GET", "/v1/users/ann/messages?a=b/c", 6},
        {"GET", "/v1/users/messages/messages", 6},
        {"GET", "/v1/messages/batch", 3},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_code(*state, cases[i].method, cases[i].target, ERR_NONE);
        struct fixture *f = *state;
        assert_ptr_equal(f->match.route, &table[cases[i].row]);
    }
}

static void what_no_row_fits_is_unknown(void **state)
{
    static const char *const targets[] = {
        "/",
        "/v1",
        "/healthzz",
        "/health",
        "/Healthz",
        "/healthz/x",
        "/v1/users",
        "/v1/users/ann/friends",
        "/v1/users/{user}/x",
        "/v1/messages%3F",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t",
    };

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        assert_code(*state, "GET", targets[i], ERR_ROUTE_UNKNOWN);
}

static void another_method_is_told_which_there_are(void **state)
{
    static const struct {
        const char *method, *target, *allow;
    } cases[] = {
        {"DELETE", "/v1/users/ann", "GET, PUT, HEAD"},
        {"POST", "/healthz", "GET, HEAD"},
        {"HEAD", "/v1/messages", "POST"},
        {"OPTIONS", "/v1/messages", "POST"},
        {"put", "/v1/messages", "POST"},
        {"PUT", "/v1/messages/batch", "GET, POST, HEAD"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = *state;
        assert_code(f, cases[i].method, cases[i].target, ERR_METHOD_NOT_ALLOWED);
        assert_string_equal(f->match.allow, cases[i].allow);
        assert_null(f->match.route);
    }
}

static void all_methods_fit_into_allow(void **state)
{
    static const struct route all[] = {
        {METHOD_GET, "/x", NULL, SCOPE_ADMIN, OWN_NONE, 200},
        {METHOD_POST, "/x", NULL, SCOPE_ADMIN, OWN_NONE, 200},
        {METHOD_PUT, "/x", NULL, SCOPE_ADMIN, OWN_NONE, 200},
        {METHOD_PATCH, "/x", NULL, SCOPE_ADMIN, OWN_NONE, 200},
        {METHOD_DELETE, "/x", NULL, SCOPE_ADMIN, OWN_NONE, 200},
    };
    struct fixture *f = *state;

    err_init(&f->err, f->arena);
    assert_int_equal(router_match(all, 5, "TRACE", TEXT("/x"), f->arena, &f->match, &f->err), -1);
    assert_string_equal(f->match.allow, "GET, POST, PUT, PATCH, DELETE, HEAD");
}

static void path_parameters_are_named_and_decoded_once(void **state)
{
    struct fixture *f = *state;

    assert_code(f, "PUT", "/v1/users/a%25b%20:@+/friends/%e2%82%AC%ff%252F", ERR_NONE);
    assert_int_equal(f->match.n_path, 2);
    assert_text(f->match.path[0].name, "user");
    assert_text(f->match.path[0].value, "a%b :@+");
    assert_text(f->match.path[1].name, "peer");
    assert_text(f->match.path[1].value, "\xE2\x82\xAC\xFF%2F");
}

static void a_path_that_can_be_read_in_two_ways_is_malformed(void **state)
{
    static const char *const targets[] = {
        "",
        "v1/users/ann",
        "*",
        "http://host/v1/users/ann",
        "?a=b",
        "//v1/users/ann",
        "/v1//users/ann",
        "/v1/users/",
        "/v1/users/ann/",
        "/v1/users/.",
        "/v1/users/..",
        "/v1/users/%2e",
        "/v1/users/%2E.",
        "/v1/users/ann/../bob",
        "/v1/users/al%00ice",
        "/v1/users/al%2Fice",
        "/v1/users/al%2fice",
        "/v1/users/al%5Cice",
        "/v1/users/al\\ice",
        "/v1/users/al%",
        "/v1/users/al%4",
        "/v1/users/al%4g",
        "/v1/users/al%g4",
        "/v1/users/al%%41",
        "/v1/users/al% 41",
        "/v1/users/al%u0041",
        "/v1/users/al ice",
        "/v1/users/al\tice",
        "/v1/users/al\x7Fice",
        "/v1/users/al\xC3\xA9",
        "/v1/users/ann#x",
        "/v1/users/ann?a=b#x",
    };

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        assert_code(*state, "GET", targets[i], ERR_MALFORMED_REQUEST);
    assert_int_equal(route_it(*state, "GET", TEXT("/v1/users/al\0ice")), -1);
}

static void a_long_target_is_too_long(void **state)
{
    char target[ROUTER_TARGET_BYTES + 2] = "/v1/users/";
    size_t start = strlen(target);

    memset(target + start, 'a', sizeof(target) - start);
    target[ROUTER_TARGET_BYTES] = '\0';
    assert_code(*state, "GET", target, ERR_NONE);
    target[ROUTER_TARGET_BYTES] = 'a';
    target[ROUTER_TARGET_BYTES + 1] = '\0';
    assert_code(*state, "GET", target, ERR_URI_TOO_LONG);
}

static void the_query_is_cut_and_decoded(void **state)
{
    struct fixture *f = *state;

    assert_code(f, "GET", "/v1/users/ann?a=1+2%2B3&&b&c%3D=x=y?z&=v&d=%26%ff&", ERR_NONE);
    assert_int_equal(f->match.n_query, 5);
    assert_text(f->match.query[0].name, "a");
    assert_text(f->match.query[0].value, "1 2+3");
    assert_text(f->match.query[1].name, "b");
    assert_text(f->match.query[1].value, "");
    assert_text(f->match.query[2].name, "c=");
    assert_text(f->match.query[2].value, "x=y?z");
    assert_text(f->match.query[3].name, "");
    assert_text(f->match.query[3].value, "v");
    assert_text(f->match.query[4].value, "&\xFF");
}

static void a_bad_query_is_malformed_but_the_route_is_known(void **state)
{
    static const char *const targets[] = {
        "/v1/users/ann?a=%",     "/v1/users/ann?a=%4",  "/v1/users/ann?a=%zz",
        "/v1/users/ann?a=%00",   "/v1/users/ann?%00=a", "/v1/users/ann?%ff=a",
        "/v1/users/ann?a=1&b=%",
    };

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct fixture *f = *state;
        assert_code(f, "GET", targets[i], ERR_MALFORMED_REQUEST);
        assert_ptr_equal(f->match.route, &table[2]);
    }
}

static void a_query_name_given_twice_is_named(void **state)
{
    struct fixture *f = *state;

    assert_code(f, "GET", "/v1/users/ann?limit=1&a~%2F=2&%6cimit=1", ERR_INVALID_REQUEST);
    assert_string_equal(f->err.fields->pointer, "/limit");
    assert_code(f, "GET", "/v1/users/ann?a~%2F=2&a%7E%2F=1", ERR_INVALID_REQUEST);
    assert_string_equal(f->err.fields->pointer, "/a~0~1");
}

static void a_query_has_at_most_32_parameters(void **state)
{
    char target[512] = "/v1/users/ann?";
    size_t used = strlen(target);

    for (int i = 0; i < ROUTER_QUERY_PARAMS; i++)
        used += (size_t)snprintf(target + used, sizeof(target) - used, "p%d=%d&", i, i);
    assert_code(*state, "GET", target, ERR_NONE);
    snprintf(target + used, sizeof(target) - used, "more=1");
    assert_code(*state, "GET", target, ERR_MALFORMED_REQUEST);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(method_and_path_choose_the_row),
        TEST(what_no_row_fits_is_unknown),
        TEST(another_method_is_told_which_there_are),
        TEST(all_methods_fit_into_allow),
        TEST(path_parameters_are_named_and_decoded_once),
        TEST(a_path_that_can_be_read_in_two_ways_is_malformed),
        TEST(a_long_target_is_too_long),
        TEST(the_query_is_cut_and_decoded),
        TEST(a_bad_query_is_malformed_but_the_route_is_known),
        TEST(a_query_name_given_twice_is_named),
        TEST(a_query_has_at_most_32_parameters),
    };

    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
