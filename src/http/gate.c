#include "http/gate.h"

#include <inttypes.h>

/* 18 digits cannot overflow an int64_t. */
#define LENGTH_DIGITS 18
#define HOST_BYTES 255

static const struct {
    struct text name;
    bool may_have_body;
} methods[] = {
    {TEXT("GET"), false}, {TEXT("HEAD"), false}, {TEXT("POST"), true},
    {TEXT("PUT"), true},  {TEXT("PATCH"), true}, {TEXT("DELETE"), false},
};

/* The headers that mean something here: those that the gate itself judges, and those it hands on.
 */
struct known {
    struct text host, content_length, transfer_encoding, expect;
    struct gate gate;
};

static const struct {
    struct text name;
    size_t offset;
    bool once; /* a second one is refused; otherwise the first counts */
} known_headers[] = {
    {TEXT("Host"), offsetof(struct known, host), true},
    {TEXT("Content-Length"), offsetof(struct known, content_length), true},
    {TEXT("Transfer-Encoding"), offsetof(struct known, transfer_encoding), true},
    {TEXT("Expect"), offsetof(struct known, expect), true},
    {TEXT("Authorization"), offsetof(struct known, gate.authorization), true},
    {TEXT("Content-Type"), offsetof(struct known, gate.content_type), true},
    {TEXT("Idempotency-Key"), offsetof(struct known, gate.idempotency_key), true},
    {TEXT("If-Match"), offsetof(struct known, gate.if_match), true},
    {TEXT("Last-Event-ID"), offsetof(struct known, gate.last_event_id), true},
    {TEXT("X-Request-Id"), offsetof(struct known, gate.request_id), false},
    {TEXT("If-None-Match"), offsetof(struct known, gate.if_none_match), false},
    {TEXT("Accept"), offsetof(struct known, gate.accept), false},
    {TEXT("If-Range"), offsetof(struct known, gate.if_range), false},
    {TEXT("Range"), offsetof(struct known, gate.range), true},
    {TEXT("Accept-Encoding"), offsetof(struct known, gate.accept_encoding), false},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter_or_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Made of letters, digits and `others`. */
static bool is_made_of(struct text t, const char *others)
{
    for (size_t i = 0; i < t.len; i++)
        if (!is_letter_or_digit(t.ptr[i]) && (t.ptr[i] == '\0' || !strchr(others, t.ptr[i])))
            return false;
    return true;
}

static bool is_token(struct text t)
{
    return t.len > 0 && is_made_of(t, "!#$%&'*+-.^_`|~");
}

static bool has_control(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return true;
    }
    return false;
}

static int malformed(struct err *err, const char *rule)
{
    return err_set(err, ERR_MALFORMED_REQUEST, "%s", rule);
}

static int check_request_line(
    const struct gate_head *head, bool *ret_may_have_body, struct err *err)
{
    if (!text_equal(head->version, TEXT("HTTP/1.1")) &&
        !text_equal(head->version, TEXT("HTTP/1.0")))
        return malformed(err, "the version is neither HTTP/1.1 nor HTTP/1.0");
    for (size_t i = 0; i < COUNT(methods); i++) {
        if (text_equal(head->method, methods[i].name)) {
            *ret_may_have_body = methods[i].may_have_body;
            return 0;
        }
    }
    return malformed(err, "the method is not one of GET, HEAD, POST, PUT, PATCH, DELETE");
}

/* Whether the parts fill the head: one space between the words of the request line, CR LF behind
 * each line, nothing unaccounted for. A bare line feed, a NUL (behind which libmicrohttpd drops the
 * rest of the line), an empty name and a second blank leave a gap; a folded line, which it glues to
 * the *name* of the line above, has been moved elsewhere. Addresses are compared as numbers,
 * because after such a move they are not into one object. */
static bool is_whole(const struct gate_head *head)
{
    size_t before_version = head->method.len + 1 + head->target_bytes + 1;
    uintptr_t start = (uintptr_t)head->version.ptr - before_version;
    uintptr_t end = (uintptr_t)head->version.ptr + head->version.len + 2;

    if (head->size == 0)
        return true;
    for (size_t i = 0; i < head->n_headers; i++) {
        const struct gate_header *header = &head->headers[i];
        uintptr_t value = (uintptr_t)header->value.ptr;
        uintptr_t colon = (uintptr_t)header->name.ptr + header->name.len;
        if ((uintptr_t)header->name.ptr != end || value <= colon || value > start + head->size)
            return false;
        end = value + header->value.len + 2;
    }
    return end + 2 == start + head->size;
}

static int check_headers(const struct gate_head *head, struct err *err)
{
    for (size_t i = 0; i < head->n_headers; i++) {
        if (!is_token(head->headers[i].name))
            return malformed(err, "a header's name is not a token");
        if (has_control(head->headers[i].value))
            return malformed(err, "a header's value has a control character");
    }
    if (!is_whole(head))
        return malformed(
            err, "the head has a folded line, a bare line feed, a NUL or a needless blank");
    return 0;
}

/* False when a header that may stand once stands twice. The first of each is in *ret in any case.
 */
static bool collect(const struct gate_head *head, struct known *ret)
{
    bool good = true;

    for (size_t i = 0; i < head->n_headers; i++) {
        const struct gate_header *header = &head->headers[i];
        for (size_t k = 0; k < COUNT(known_headers); k++) {
            if (!text_equal_nocase(header->name, known_headers[k].name))
                continue;
            struct text *member = (struct text *)((char *)ret + known_headers[k].offset);
            if (text_present(*member))
                good = good && !known_headers[k].once;
            else
                *member = text_trim(text_present(header->value) ? header->value : TEXT(""));
            break;
        }
    }
    return good;
}

static bool is_port(struct text t)
{
    int64_t port;

    return t.len <= 5 && is_made_of(t, "") && text_to_i64(t, &port) && port <= 65535;
}

static bool is_host(struct text t)
{
    if (t.len == 0 || t.len > HOST_BYTES)
        return false;
    struct text port = t;
    struct text name;
    if (t.ptr[0] == '[') {
        struct text inside = text_cut(&port, ']');
        name = (struct text){inside.ptr + 1, inside.len - 1};
        if (!text_present(port) || !is_made_of(name, ":.") || (port.len && port.ptr[0] != ':'))
            return false;
        text_cut(&port, ':');
    } else {
        name = text_cut(&port, ':');
        if (!is_made_of(name, "-._~"))
            return false;
    }
    return name.len > 0 && (!text_present(port) || is_port(port));
}

static int check_host(const struct gate_head *head, const struct known *known, struct err *err)
{
    if (!text_present(known->host)) {
        if (text_equal(head->version, TEXT("HTTP/1.1")))
            return malformed(err, "the Host header is missing");
        return 0;
    }
    if (!is_host(known->host))
        return malformed(err, "the Host header is not a host with an optional port");
    return 0;
}

/* How long the body is: the one question on which all readers must agree. */
static int check_framing(
    const struct gate_head *head, struct known *known, bool may_have_body, struct err *err)
{
    struct gate *gate = &known->gate;
    struct text length = known->content_length;

    if (text_present(known->transfer_encoding)) {
        if (text_present(length))
            return malformed(err, "Transfer-Encoding and Content-Length exclude each other");
        if (!text_equal(head->version, TEXT("HTTP/1.1")))
            return malformed(err, "HTTP/1.0 has no Transfer-Encoding");
        if (!text_equal_nocase(known->transfer_encoding, TEXT("chunked")))
            return malformed(err, "the only Transfer-Encoding understood is chunked");
        gate->chunked = true;
    } else if (text_present(length)) {
        /* text_to_i64 would let a sign pass. */
        if (length.len == 0 || length.len > LENGTH_DIGITS || !is_digit(length.ptr[0]) ||
            !text_to_i64(length, &gate->content_length))
            return malformed(err, "Content-Length is not a number of up to 18 digits");
    }
    gate->has_body = gate->chunked || gate->content_length > 0;
    if (gate->has_body && !may_have_body)
        return malformed(err, "GET, HEAD and DELETE have no body");
    return 0;
}

static int check_expect(const struct gate_head *head, struct known *known, struct err *err)
{
    /* HTTP/1.0 does not know the header; it is passed over then. */
    if (known->expect.len == 0 || text_equal(head->version, TEXT("HTTP/1.0")))
        return 0;
    if (!text_equal_nocase(known->expect, TEXT("100-continue")))
        return err_set(
            err, ERR_EXPECTATION_FAILED, "the only expectation understood is 100-continue");
    known->gate.expect_continue = true;
    return 0;
}

/* "charset=utf-8", quoted or not; and the empty parameter, which RFC 9110 lets stand. */
static bool is_utf8_parameter(struct text t)
{
    struct text value = t;
    struct text name = text_cut(&value, '=');

    if (t.len == 0)
        return true;
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = (struct text){value.ptr + 1, value.len - 2};
    return text_equal_nocase(name, TEXT("charset")) && text_equal_nocase(value, TEXT("utf-8"));
}

static bool is_json(struct text content_type)
{
    struct text rest = content_type;

    if (!text_equal_nocase(text_trim(text_cut(&rest, ';')), TEXT("application/json")))
        return false;
    while (text_present(rest))
        if (!is_utf8_parameter(text_trim(text_cut(&rest, ';'))))
            return false;
    return true;
}

static int check_body(const struct gate *gate, int64_t body_limit, struct err *err)
{
    if (gate->content_length > body_limit)
        return err_set(
            err, ERR_BODY_TOO_LARGE, "the body may have at most %" PRId64 " bytes", body_limit);
    if (gate->has_body && !is_json(gate->content_type))
        return err_set(err, ERR_UNSUPPORTED_MEDIA_TYPE, "the body must be application/json");
    return 0;
}

/* An id that would not be safe in a log is none; the server makes one then. */
static struct text accepted_request_id(struct text t)
{
    bool good = t.len > 0 && t.len <= GATE_REQUEST_ID_BYTES && is_made_of(t, "._-");

    return good ? t : TEXT_ABSENT;
}

int gate_check(const struct gate_head *head, int64_t body_limit, struct gate *ret, struct err *err)
{
    struct known known = {.gate.content_length = -1};
    bool may_have_body = false;

    bool once_each = collect(head, &known);
    known.gate.request_id = accepted_request_id(known.gate.request_id);
    *ret = (struct gate){.content_length = -1, .request_id = known.gate.request_id};

    if (head->n_headers > GATE_HEADERS)
        return err_set(
            err, ERR_HEADERS_TOO_LARGE, "the request has more than %d header fields", GATE_HEADERS);
    if (head->size > GATE_HEAD_BYTES)
        return err_set(
            err, ERR_HEADERS_TOO_LARGE, "the head has more than %d bytes", GATE_HEAD_BYTES);
    if (check_request_line(head, &may_have_body, err) || check_headers(head, err))
        return -1;
    if (!once_each)
        return malformed(err, "a header that may stand once stands twice");
    if (check_host(head, &known, err) || check_framing(head, &known, may_have_body, err) ||
        check_expect(head, &known, err) || check_body(&known.gate, body_limit, err))
        return -1;
    known.gate.host = known.host;
    *ret = known.gate;
    return 0;
}
