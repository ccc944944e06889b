#include "client/sse.h"

#include <stdlib.h>

#include "base/testing.h"

/* The events of a stream that comes in pieces of `piece` bytes, as "name=data;". */
static void read_stream(struct text stream, size_t piece, struct buf *ret)
{
    struct sse sse;
    struct sse_event event;

    sse_init(&sse);
    while (stream.len) {
        size_t n = piece < stream.len ? piece : stream.len;
        char *bytes = malloc(n); /* of its own, so that the sanitizer sees who keeps it */
        memcpy(bytes, stream.ptr, n);
        struct text rest = {bytes, n};
        while (sse_next(&sse, &rest, &event))
            buf_printf(ret, "%.*s=%.*s;", TEXT_ARG(event.name), TEXT_ARG(event.data));
        free(bytes);
        stream.ptr += n;
        stream.len -= n;
    }
    assert_false(sse_failed(&sse));
    sse_done(&sse);
}

static void events_are_read_in_whatever_pieces_they_come(void **state)
{
    static const struct {
        const char *stream;
        const char *events;
    } cases[] = {
        {"data: a\n\n", "message=a;"},
        {"id: 7\nevent: read\ndata: {\"seq\":7}\n\n", "read={\"seq\":7};"},
        {"data: a\r\n\r\ndata: b\r\n\r\n", "message=a;message=b;"},
        {"data: a\r\rdata: b\r\r", "message=a;message=b;"},
        {"data: a\r\n\ndata: b\n\n", "message=a;message=b;"},
        {"data: a\ndata:b\ndata\n\n", "message=a\nb\n;"},
        {"data:  a\n\n", "message= a;"},
        {": alive\n\n:\n\ndata: a\n\n", "message=a;"},
        {"event: sync\n\ndata: a\n\n", "message=a;"},
        {"event: x\nevent: y\ndata: a\n\ndata: b\n\n", "y=a;message=b;"},
        {"retry: 1000\nwhat: ever\nalone\ndata: a\n\n", "message=a;"},
        {"\xEF\xBB\xBF"
         "data: a\n\n",
         "message=a;"},
        {"data: a\n", ""},
        {"data: never ended", ""},
        {"data\n\n", "message=;"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t piece = 1; piece < 20; piece++) {
            buf_auto got = BUF(1000);
            read_stream(text_of(cases[i].stream), piece, &got);
            assert_int_equal(got.len, strlen(cases[i].events));
            assert_memory_equal(buf_as_text(&got).ptr, cases[i].events, got.len);
        }
    }
}

static void a_stream_without_an_end_of_line_is_given_up(void **state)
{
    static char block[64 * 1024];
    struct sse sse;
    struct sse_event event;

    (void)state;
    memset(block, 'x', sizeof(block));
    sse_init(&sse);
    for (size_t sent = 0; sent <= SSE_EVENT_BYTES; sent += sizeof(block)) {
        struct text rest = {block, sizeof(block)};
        assert_false(sse_failed(&sse));
        assert_false(sse_next(&sse, &rest, &event));
    }
    assert_true(sse_failed(&sse));
    struct text good = TEXT("\n\ndata: a\n\n");
    assert_false(sse_next(&sse, &good, &event));
    sse_done(&sse);
}

static void an_event_of_too_many_lines_is_given_up(void **state)
{
    static char line[64 * 1024];
    struct sse sse;
    struct sse_event event;
    size_t n;

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line, "data:", 5);
    line[sizeof(line) - 1] = '\n';
    sse_init(&sse);
    for (n = 0; n < 100 && !sse_failed(&sse); n++) {
        struct text rest = {line, sizeof(line)};
        assert_false(sse_next(&sse, &rest, &event));
    }
    assert_in_range(n, 16, 17);
    sse_done(&sse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_in_whatever_pieces_they_come),
        cmocka_unit_test(a_stream_without_an_end_of_line_is_given_up),
        cmocka_unit_test(an_event_of_too_many_lines_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
