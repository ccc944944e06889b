/* Any bytes as a stream, in pieces whose length the first byte picks: the pieces make no
 * difference. */
#include "client/sse.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held)
{
    if (!held)
        abort();
}

static void read_in_pieces(struct text stream, size_t piece, struct buf *ret)
{
    struct sse sse;
    struct sse_event event;

    sse_init(&sse);
    while (stream.len) {
        size_t n = piece < stream.len ? piece : stream.len;
        struct text rest = {stream.ptr, n};
        while (sse_next(&sse, &rest, &event))
            buf_printf(ret, "%.*s=%.*s;", TEXT_ARG(event.name), TEXT_ARG(event.data));
        require(rest.len == 0 && !sse_failed(&sse));
        stream.ptr += n;
        stream.len -= n;
    }
    sse_done(&sse);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    buf_auto whole = BUF(1 << 20);
    buf_auto pieces = BUF(1 << 20);

    if (size == 0)
        return 0;
    struct text stream = {(const char *)data + 1, size - 1};
    read_in_pieces(stream, stream.len, &whole);
    read_in_pieces(stream, 1 + data[0] % 16, &pieces);
    require(text_equal(buf_as_text(&whole), buf_as_text(&pieces)));
    return 0;
}
