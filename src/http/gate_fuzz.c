/* Any bytes as the head of a request, cut into parts as leniently as libmicrohttpd does. */
#include "http/gate.h"

#include <stdlib.h>

#define HEADERS_MAX 256
#define BODY_LIMIT 1048576

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held)
{
    if (!held)
        abort();
}

static struct text without_cr(struct text line)
{
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static void cut_head(struct text raw, struct gate_header *headers, struct gate_head *ret)
{
    struct text rest = raw;
    struct text line = without_cr(text_cut(&rest, '\n'));

    *ret = (struct gate_head){.headers = headers, .size = raw.len};
    ret->method = text_cut(&line, ' ');
    ret->target_bytes = text_cut(&line, ' ').len;
    ret->version = line;
    while (rest.len && ret->n_headers < HEADERS_MAX) {
        line = without_cr(text_cut(&rest, '\n'));
        if (line.len == 0) {
            ret->size = rest.ptr ? (size_t)(rest.ptr - raw.ptr) : raw.len;
            return;
        }
        struct gate_header *header = &headers[ret->n_headers++];
        header->name = text_cut(&line, ':');
        while (line.len && line.ptr[0] == ' ')
            line = (struct text){line.ptr + 1, line.len - 1};
        header->value = line;
    }
}

static void require_good(const struct gate *gate)
{
    require(gate->content_length >= -1 && gate->content_length <= BODY_LIMIT);
    require(!gate->chunked || gate->content_length == -1);
    require(gate->has_body == (gate->chunked || gate->content_length > 0));
    require(!gate->has_body || text_present(gate->content_type));
}

/* What the gate lets pass has no second reading: each line ends in CR LF, and nowhere else. The
 * target is not its business. */
static void require_one_reading(struct text raw)
{
    require(raw.len >= 4 && memcmp(raw.ptr + raw.len - 4, "\r\n\r\n", 4) == 0);
    require(!memchr(raw.ptr, '\0', raw.len));
    for (size_t i = 0; i < raw.len; i++) {
        require(raw.ptr[i] != '\n' || (i > 0 && raw.ptr[i - 1] == '\r'));
        require(raw.ptr[i] != '\r' || raw.ptr[i + 1] == '\n');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text raw = {(const char *)data, size};
    struct gate_header headers[HEADERS_MAX];
    struct gate_head head;
    struct gate gate;
    struct err err;
    struct arena *arena = arena_new();

    cut_head(raw, headers, &head);
    err_init(&err, arena);
    int result = gate_check(&head, BODY_LIMIT, &gate, &err);
    require(result == (err.code == ERR_NONE ? 0 : -1));
    require(!text_present(gate.request_id) || gate.request_id.len <= GATE_REQUEST_ID_BYTES);
    if (result == 0) {
        require_good(&gate);
        struct text behind_target = {
            head.version.ptr, head.size - (size_t)(head.version.ptr - raw.ptr)};
        require_one_reading(behind_target);
    }
    head.size = 0;
    err_init(&err, arena);
    gate_check(&head, BODY_LIMIT, &gate, &err);
    arena_free(arena);
    return 0;
}
