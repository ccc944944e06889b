#include "http/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BODY_LIMIT 1048576
#define HEADERS_MAX 80

/* A head as libmicrohttpd has parsed it: the parts point into the bytes that were received. */
struct parsed {
    struct gate_head head;
    struct gate_header headers[HEADERS_MAX];
};

struct fixture {
    struct arena *arena;
    struct parsed parsed;
    struct gate gate;
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

static size_t blanks(struct text t)
{
    size_t n = 0;

    while (n < t.len && t.ptr[n] == ' ')
        n++;
    return n;
}

static void parse_header(struct text line, struct gate_header *ret)
{
    ret->name = text_cut(&line, ':');
    size_t n = blanks(line);
    ret->value = (struct text){line.ptr + n, line.len - n};
    if (n < line.len && memchr(ret->value.ptr, '\0', ret->value.len))
        ret->value.len = strlen(ret->value.ptr);
}

/* As lenient as the library: a line ends at its line feed, a value at its NUL. */
static void parse(struct text raw, struct parsed *ret)
{
    *ret = (struct parsed){.head = {.headers = ret->headers, .size = raw.len}};
    for (struct text rest = raw; rest.len;) {
        struct text line = text_cut(&rest, '\n');
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (!ret->head.method.ptr) {
            ret->head.method = text_cut(&line, ' ');
            ret->head.target_bytes = text_cut(&line, ' ').len;
            ret->head.version = line;
        } else if (line.len) {
            assert_true(ret->head.n_headers < HEADERS_MAX);
            parse_header(line, &ret->headers[ret->head.n_headers++]);
        }
    }
}

static void check(struct fixture *f, struct text raw)
{
    err_init(&f->err, f->arena);
    parse(raw, &f->parsed);
    int result = gate_check(&f->parsed.head, BODY_LIMIT, &f->gate, &f->err);
    assert_int_equal(result, f->err.code == ERR_NONE ? 0 : -1);
}

static void assert_code(struct fixture *f, struct text raw, enum err_code code)
{
    check(f, raw);
    if (f->err.code != code)
        fail_msg(
            "%.*s: %s (%s)", TEXT_ARG(raw), err_info(f->err.code)->code,
            f->err.detail ? f->err.detail : "-");
}

/* The request line and Host are given; `rest` are further lines, without the last CR LF. */
static void assert_with(struct fixture *f, const char *method, const char *rest, enum err_code code)
{
    const char *raw = arena_printf(
        f->arena, "%s /v1/users/ann HTTP/1.1\r\nHost: duet.example\r\n%s\r\n", method, rest);

    assert_code(f, text_of(raw), code);
}

static void a_plain_request_passes(void **state)
{
    struct fixture *f = *state;

    assert_with(f, "GET", "", ERR_NONE);
    assert_false(f->gate.has_body);
    assert_false(f->gate.chunked);
    assert_false(f->gate.expect_continue);
    assert_int_equal(f->gate.content_length, -1);
    assert_false(text_present(f->gate.authorization));
    assert_false(text_present(f->gate.request_id));
}

static void headers_are_handed_on_trimmed(void **state)
{
    struct fixture *f = *state;

    assert_with(
        f, "POST",
        "content-length:  12 \r\n"
        "CONTENT-TYPE: application/json\t\r\n"
        "authorization: Bearer a.b.c  \r\n"
        "Idempotency-Key:\r\n"
        "X-Request-ID: req-1.A_z\r\n"
        "If-None-Match: \"x\"\r\n"
        "Accept-Encoding: gzip, br\r\n"
        "Last-Event-Id: 7\r\n"
        "Expect: 100-Continue\r\n",
        ERR_NONE);
    assert_true(f->gate.has_body);
    assert_true(f->gate.expect_continue);
    assert_int_equal(f->gate.content_length, 12);
    assert_true(text_equal(f->gate.authorization, TEXT("Bearer a.b.c")));
    assert_true(text_equal(f->gate.content_type, TEXT("application/json")));
    assert_true(text_equal(f->gate.idempotency_key, TEXT("")));
    assert_true(text_equal(f->gate.request_id, TEXT("req-1.A_z")));
    assert_true(text_equal(f->gate.if_none_match, TEXT("\"x\"")));
    assert_true(text_equal(f->gate.accept_encoding, TEXT("gzip, br")));
    assert_true(text_equal(f->gate.last_event_id, TEXT("7")));
}

static void request_lines_are_taken_literally(void **state)
{
    static const struct {
        struct text raw;
        enum err_code code;
    } cases[] = {
        {TEXT("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), ERR_NONE},
        {TEXT("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"), ERR_NONE},
        {TEXT("PATCH / HTTP/1.1\r\nHost: a\r\n\r\n"), ERR_NONE},
        {TEXT("GET / HTTP/1.0\r\nHost: a\r\n\r\n"), ERR_NONE},
        {TEXT("GET / HTTP/1.0\r\n\r\n"), ERR_NONE},
        {TEXT("get / HTTP/1.1\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("GETS / HTTP/1.1\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("GET / HTTP/1.9\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("GET / http/1.1\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("GET / HTTP/1.1x\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), ERR_MALFORMED_REQUEST},
        {TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ERR_MALFORMED_REQUEST},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_code(*state, cases[i].raw, cases[i].code);
}

static void lines_that_can_be_read_in_two_ways_are_malformed(void **state)
{
    static const struct text raws[] = {
        TEXT("GET / HTTP/1.1\nHost: a\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\r\n\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\0\r\nX-A: b\r\n\r\n"),
        /* A byte too few and one too many do not make up for each other. */
        TEXT("GET / HTTP/1.1\r\nHost: a\nX-A: b\0\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\rX-A: b\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\r\nX-\x80: b\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\r\n\"X\": b\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x01\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x1B[0m\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x7F\r\n\r\n"),
        TEXT("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n"),
    };

    for (size_t i = 0; i < sizeof(raws) / sizeof(raws[0]); i++)
        assert_code(*state, raws[i], ERR_MALFORMED_REQUEST);
}

/* The library copies a folded line and the one above it to another place, glued together. */
static void a_header_that_was_moved_is_malformed(void **state)
{
    struct fixture *f = *state;
    static const char elsewhere[] = "X-Forwarded-For: 6.6.6.6";

    assert_with(f, "GET", "X-Forwarded-For: 6.6.6.6\r\n", ERR_NONE);
    parse_header(text_of(elsewhere), &f->parsed.headers[1]);
    assert_int_equal(gate_check(&f->parsed.head, BODY_LIMIT, &f->gate, &f->err), -1);
    assert_int_equal(f->err.code, ERR_MALFORMED_REQUEST);
}

static void copies_are_not_held_against_the_size(void **state)
{
    struct fixture *f = *state;

    parse(TEXT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), &f->parsed);
    f->parsed.head.version = text_of("HTTP/1.1");
    f->parsed.head.size = 0;
    err_init(&f->err, f->arena);
    assert_int_equal(gate_check(&f->parsed.head, BODY_LIMIT, &f->gate, &f->err), 0);
}

static void what_may_stand_once_stands_once(void **state)
{
    static const char *const twice[] = {
        "Host: duet.example\r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n",
        "Content-Length: 0\r\ncontent-length: 1\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n",
        "Authorization:\r\nAuthorization: Bearer a\r\n",
        "Content-Type: application/json\r\nContent-Type: application/json\r\n",
        "Idempotency-Key: a\r\nIdempotency-Key: b\r\n",
        "Last-Event-ID: 1\r\nLast-Event-ID: 2\r\n",
        "Expect: 100-continue\r\nExpect: 100-continue\r\n",
    };

    for (size_t i = 0; i < sizeof(twice) / sizeof(twice[0]); i++)
        assert_with(*state, "PUT", twice[i], ERR_MALFORMED_REQUEST);
    assert_with(*state, "GET", "Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n", ERR_NONE);
    assert_with(*state, "GET", "X-A: a\r\nX-A: b\r\n", ERR_NONE);
}

static void host_is_a_host_with_an_optional_port(void **state)
{
    static const struct {
        const char *host;
        enum err_code code;
    } cases[] = {
        {"localhost", ERR_NONE},
        {"127.0.0.1:8080", ERR_NONE},
        {"db_1.example", ERR_NONE},
        {"[::1]", ERR_NONE},
        {"[::1]:65535", ERR_NONE},
        {"a:0", ERR_NONE},
        {"", ERR_MALFORMED_REQUEST},
        {":80", ERR_MALFORMED_REQUEST},
        {"a:", ERR_MALFORMED_REQUEST},
        {"a:65536", ERR_MALFORMED_REQUEST},
        {"a:-1", ERR_MALFORMED_REQUEST},
        {"a:000080", ERR_MALFORMED_REQUEST},
        {"a:80:80", ERR_MALFORMED_REQUEST},
        {"a, b", ERR_MALFORMED_REQUEST},
        {"a b", ERR_MALFORMED_REQUEST},
        {"user@a", ERR_MALFORMED_REQUEST},
        {"a/b", ERR_MALFORMED_REQUEST},
        {"::1", ERR_MALFORMED_REQUEST},
        {"[::1", ERR_MALFORMED_REQUEST},
        {"[]", ERR_MALFORMED_REQUEST},
        {"[::1]x", ERR_MALFORMED_REQUEST},
        {"[::1]80", ERR_MALFORMED_REQUEST},
        {"[::1]:", ERR_MALFORMED_REQUEST},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_code(
            f, text_of(arena_printf(f->arena, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", cases[i].host)),
            cases[i].code);
        assert_code(
            f, text_of(arena_printf(f->arena, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", cases[i].host)),
            cases[i].code);
    }
    assert_code(f, TEXT("GET / HTTP/1.1\r\n\r\n"), ERR_MALFORMED_REQUEST);
}

#define JSON "Content-Type: application/json\r\n"

static void the_length_of_a_body_is_beyond_doubt(void **state)
{
    static const struct {
        const char *method, *rest;
        enum err_code code;
    } cases[] = {
        {"PUT", JSON "Transfer-Encoding: chunked\r\n", ERR_NONE},
        {"PUT", JSON "Transfer-Encoding: Chunked\r\n", ERR_NONE},
        {"PUT", JSON "Content-Length: 005\r\n", ERR_NONE},
        {"PUT", JSON "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Transfer-Encoding: gzip, chunked\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Transfer-Encoding: chunked, identity\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Transfer-Encoding: identity\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Transfer-Encoding: xchunked\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Transfer-Encoding: chunked;a=b\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Transfer-Encoding:\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length:\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length: +3\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length: -3\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length: -0\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length: 3, 3\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length: 3 3\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length: 0x3\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length: 3.0\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length: 18446744073709551616\r\n", ERR_MALFORMED_REQUEST},
        {"PUT", JSON "Content-Length: 0000000000000000003\r\n", ERR_MALFORMED_REQUEST},
        {"GET", "Content-Length: 0\r\n", ERR_NONE},
        {"DELETE", "Content-Length: 0\r\n", ERR_NONE},
        {"GET", JSON "Content-Length: 1\r\n", ERR_MALFORMED_REQUEST},
        {"HEAD", JSON "Content-Length: 1\r\n", ERR_MALFORMED_REQUEST},
        {"DELETE", JSON "Content-Length: 1\r\n", ERR_MALFORMED_REQUEST},
        {"GET", JSON "Transfer-Encoding: chunked\r\n", ERR_MALFORMED_REQUEST},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_with(*state, cases[i].method, cases[i].rest, cases[i].code);
    assert_code(
        *state, TEXT("PUT / HTTP/1.0\r\nHost: a\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n"),
        ERR_MALFORMED_REQUEST);
}

static void bodies_are_told_by_length_or_chunks(void **state)
{
    struct fixture *f = *state;

    assert_with(f, "POST", JSON "Transfer-Encoding: chunked\r\n", ERR_NONE);
    assert_true(f->gate.has_body && f->gate.chunked);
    assert_int_equal(f->gate.content_length, -1);
    assert_with(f, "POST", JSON "Content-Length: 7\r\n", ERR_NONE);
    assert_true(f->gate.has_body && !f->gate.chunked);
    assert_int_equal(f->gate.content_length, 7);
    assert_with(f, "POST", "Content-Length: 0\r\n", ERR_NONE);
    assert_false(f->gate.has_body);
    assert_int_equal(f->gate.content_length, 0);
}

static void a_body_over_the_limit_is_refused_at_once(void **state)
{
    struct fixture *f = *state;

    assert_with(f, "PUT", JSON "Content-Length: 1048576\r\n", ERR_NONE);
    assert_with(f, "PUT", JSON "Content-Length: 1048577\r\n", ERR_BODY_TOO_LARGE);
    assert_non_null(strstr(f->err.detail, "1048576"));
    assert_with(f, "PUT", JSON "Content-Length: 999999999999999999\r\n", ERR_BODY_TOO_LARGE);
}

static void a_body_is_json_in_utf_8(void **state)
{
    static const struct {
        const char *type;
        enum err_code code;
    } cases[] = {
        {"Content-Type: Application/JSON\r\n", ERR_NONE},
        {"Content-Type: application/json;charset=utf-8\r\n", ERR_NONE},
        {"Content-Type: application/json ; Charset=\"UTF-8\"\r\n", ERR_NONE},
        {"Content-Type: application/json;\r\n", ERR_NONE},
        {"", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"Content-Type:\r\n", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"Content-Type: text/plain\r\n", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"Content-Type: application/jsonx\r\n", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"Content-Type: application/x-www-form-urlencoded\r\n", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"Content-Type: application/json; charset=latin1\r\n", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"Content-Type: application/json; charset=\"utf-8\r\n", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"Content-Type: application/json; charset\r\n", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"Content-Type: application/json; version=1\r\n", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"Content-Type: application/json, text/plain\r\n", ERR_UNSUPPORTED_MEDIA_TYPE},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_with(
            f, "PUT", arena_printf(f->arena, "%sContent-Length: 2\r\n", cases[i].type),
            cases[i].code);
    assert_with(f, "PUT", "Content-Type: text/plain\r\n", ERR_NONE);
}

static void expectations_other_than_100_continue_fail(void **state)
{
    struct fixture *f = *state;

    assert_with(f, "PUT", "Expect: 200-ok\r\n", ERR_EXPECTATION_FAILED);
    assert_with(f, "PUT", "Expect: 100-continue, x\r\n", ERR_EXPECTATION_FAILED);
    assert_with(f, "PUT", "Expect:\r\n", ERR_NONE);
    assert_code(f, TEXT("PUT / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"), ERR_NONE);
    assert_false(f->gate.expect_continue);
}

static void at_most_64_headers_pass(void **state)
{
    struct fixture *f = *state;
    char rest[4096];
    size_t used = 0;

    for (int i = 0; i < GATE_HEADERS - 1; i++)
        used += (size_t)snprintf(rest + used, sizeof(rest) - used, "X-%d: a\r\n", i);
    assert_with(f, "GET", rest, ERR_NONE);
    snprintf(rest + used, sizeof(rest) - used, "X-More: a\r\n");
    assert_with(f, "GET", rest, ERR_HEADERS_TOO_LARGE);
}

static void a_head_leaves_room_for_the_reply(void **state)
{
    struct fixture *f = *state;
    char filler[GATE_HEAD_BYTES];
    size_t others = strlen("GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n");
    int fits = (int)(GATE_HEAD_BYTES - others);

    memset(filler, 'a', sizeof(filler));
    for (int more = 0; more < 2; more++) {
        const char *raw = arena_printf(
            f->arena, "GET / HTTP/1.1\r\nHost: a\r\nX: %.*s\r\n\r\n", fits + more, filler);
        assert_code(f, text_of(raw), more ? ERR_HEADERS_TOO_LARGE : ERR_NONE);
    }
}

static void a_request_id_that_is_not_safe_in_a_log_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "a b",
        "a\"b",
        "a\\b",
        "a{b}",
        "\xC3\xA9",
        "12345678901234567890123456789012345678901234567890123456789012345",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_with(f, "GET", arena_printf(f->arena, "X-Request-Id: %s\r\n", bad[i]), ERR_NONE);
        assert_false(text_present(f->gate.request_id));
    }
}

static void a_refusal_keeps_nothing_but_the_request_id(void **state)
{
    struct fixture *f = *state;

    assert_with(
        f, "PUT", "X-Request-Id: r1\r\nAuthorization: Bearer a\r\n" JSON "Content-Length: +3\r\n",
        ERR_MALFORMED_REQUEST);
    assert_true(text_equal(f->gate.request_id, TEXT("r1")));
    assert_false(text_present(f->gate.authorization));
    assert_false(f->gate.has_body);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_plain_request_passes),
        TEST(headers_are_handed_on_trimmed),
        TEST(request_lines_are_taken_literally),
        TEST(lines_that_can_be_read_in_two_ways_are_malformed),
        TEST(a_header_that_was_moved_is_malformed),
        TEST(copies_are_not_held_against_the_size),
        TEST(what_may_stand_once_stands_once),
        TEST(host_is_a_host_with_an_optional_port),
        TEST(the_length_of_a_body_is_beyond_doubt),
        TEST(bodies_are_told_by_length_or_chunks),
        TEST(a_body_over_the_limit_is_refused_at_once),
        TEST(a_body_is_json_in_utf_8),
        TEST(expectations_other_than_100_continue_fail),
        TEST(at_most_64_headers_pass),
        TEST(a_head_leaves_room_for_the_reply),
        TEST(a_request_id_that_is_not_safe_in_a_log_is_none),
        TEST(a_refusal_keeps_nothing_but_the_request_id),
    };

    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
