#include "http/router.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* No route is deeper; it also is the number of bits that rank two patterns. */
#define SEGMENTS_MAX 16

struct path {
    struct text segments[SEGMENTS_MAX]; /* decoded */
    size_t n;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that %XX at the front of t stands for; -1 when that is no escape or the byte is NUL,
 * which PostgreSQL and C would both take for the end of the text. */
static int escaped_byte(struct text t)
{
    int high = t.len >= 3 ? hex_digit(t.ptr[1]) : -1;
    int low = t.len >= 3 ? hex_digit(t.ptr[2]) : -1;

    if (high < 0 || low < 0 || (high == 0 && low == 0))
        return -1;
    return high << 4 | low;
}

static int percent_decode(
    struct text raw, bool plus_is_space, struct arena *arena, struct text *ret, struct err *err)
{
    bool escaped = memchr(raw.ptr, '%', raw.len) != NULL;
    bool spaced = plus_is_space && memchr(raw.ptr, '+', raw.len) != NULL;

    if (!escaped && !spaced) {
        *ret = raw;
        return 0;
    }
    char *out = arena_alloc(arena, raw.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        int byte = (unsigned char)raw.ptr[i];
        if (byte == '%') {
            byte = escaped_byte((struct text){raw.ptr + i, raw.len - i});
            if (byte < 0)
                return err_set(err, ERR_MALFORMED_REQUEST, "the address has a bad percent-escape");
            i += 2;
        } else if (byte == '+' && plus_is_space) {
            byte = ' ';
        }
        out[len++] = (char)byte;
    }
    *ret = (struct text){out, len};
    return 0;
}

static int check_target(struct text target, struct err *err)
{
    if (target.len > ROUTER_TARGET_BYTES)
        return err_set(
            err, ERR_URI_TOO_LONG, "the address is longer than %d bytes", ROUTER_TARGET_BYTES);
    if (target.len == 0 || target.ptr[0] != '/')
        return err_set(err, ERR_MALFORMED_REQUEST, "the address does not start with a slash");
    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] < 0x21 || target.ptr[i] > 0x7E || target.ptr[i] == '#')
            return err_set(
                err, ERR_MALFORMED_REQUEST, "the address has a character that must be escaped");
    return 0;
}

/* After decoding, so that %2E%2E is seen for what it is. A slash or backslash can only have come
 * from an escape or from a client that takes them for borders: other programs on the way may do so
 * too. */
static int check_segment(struct text segment, struct err *err)
{
    if (segment.len == 0)
        return err_set(err, ERR_MALFORMED_REQUEST, "the address has an empty segment");
    if (text_equal(segment, TEXT(".")) || text_equal(segment, TEXT("..")))
        return err_set(err, ERR_MALFORMED_REQUEST, "the address has a dot segment");
    if (memchr(segment.ptr, '/', segment.len) || memchr(segment.ptr, '\\', segment.len))
        return err_set(
            err, ERR_MALFORMED_REQUEST, "the address has a slash or backslash inside a segment");
    return 0;
}

/* `raw` starts with its slash, *ret is empty. */
static int split_path(struct text raw, struct arena *arena, struct path *ret, struct err *err)
{
    struct text rest = {raw.ptr + 1, raw.len - 1};

    if (rest.len == 0)
        return 0;
    while (text_present(rest)) {
        if (ret->n == SEGMENTS_MAX)
            return err_set(err, ERR_ROUTE_UNKNOWN, "the address has too many segments");
        struct text *segment = &ret->segments[ret->n++];
        if (percent_decode(text_cut(&rest, '/'), false, arena, segment, err) ||
            check_segment(*segment, err))
            return -1;
    }
    return 0;
}

/* Behind the segment when it is the pattern's next, else NULL. Nearly every pattern differs within
 * the first bytes, and all are looked at for each request: so byte by byte, without a call. */
static const char *spelled_out(const char *pattern, struct text segment)
{
    for (size_t i = 0; i < segment.len; i++)
        if (pattern[i] != segment.ptr[i])
            return NULL;
    pattern += segment.len;
    return *pattern == '/' || *pattern == '\0' ? pattern : NULL;
}

/* Whether the pattern fits, and which segments it spells out: one bit each, the first the highest.
 * The pattern with the greater number is the more particular one. */
static bool pattern_fits(const char *pattern, const struct path *path, uint32_t *ret_spelled)
{
    uint32_t spelled = 0;

    for (size_t i = 0; i < path->n; i++) {
        struct text segment = path->segments[i];
        if (*pattern++ != '/')
            return false;
        if (*pattern == '{') {
            pattern = strchr(pattern, '}') + 1;
            continue;
        }
        pattern = spelled_out(pattern, segment);
        if (!pattern)
            return false;
        spelled |= 1u << (SEGMENTS_MAX - 1 - i);
    }
    *ret_spelled = spelled;
    return *pattern == '\0';
}

static enum method method_of(const char *method)
{
    if (strcmp(method, "HEAD") == 0)
        return METHOD_GET;
    for (int m = 0; m < METHODS; m++)
        if (strcmp(method, method_text((enum method)m)) == 0)
            return (enum method)m;
    return METHODS;
}

static void write_allow(unsigned methods, char *allow)
{
    size_t used = 0;

    for (int m = 0; m < METHODS; m++)
        if (methods & (1u << m))
            used += (size_t)snprintf(
                allow + used, ROUTER_ALLOW_BYTES - used, "%s%s", used ? ", " : "",
                method_text((enum method)m));
    if (methods & (1u << METHOD_GET))
        snprintf(allow + used, ROUTER_ALLOW_BYTES - used, ", HEAD");
}

static int find_route(
    const struct route *table,
    size_t n,
    const char *method,
    const struct path *path,
    struct match *ret,
    struct err *err)
{
    enum method wanted = method_of(method);
    unsigned methods = 0; /* of all patterns that fit */
    uint32_t best = 0;
    uint32_t spelled;

    for (size_t i = 0; i < n; i++) {
        const struct route *route = &table[i];
        if (!pattern_fits(route->path, path, &spelled))
            continue;
        methods |= 1u << route->method;
        if (route->method != wanted || (ret->route && spelled < best))
            continue;
        best = spelled;
        ret->route = route;
    }
    if (!methods)
        return err_set(err, ERR_ROUTE_UNKNOWN, "no resource has this address");
    if (!ret->route) {
        write_allow(methods, ret->allow);
        return err_set(err, ERR_METHOD_NOT_ALLOWED, "the resource knows %s", ret->allow);
    }
    return 0;
}

static void name_path_params(const struct path *path, struct arena *arena, struct match *ret)
{
    const char *pattern = ret->route->path;

    for (const char *p = pattern; *p; p++)
        ret->n_path += *p == '{';
    if (ret->n_path == 0)
        return;
    ret->path = arena_alloc(arena, ret->n_path * sizeof(*ret->path));
    struct param *param = ret->path;
    for (size_t i = 0; i < path->n; i++) {
        pattern++;
        size_t len = strcspn(pattern, "/");
        if (*pattern == '{')
            *param++ = (struct param){{pattern + 1, len - 2}, path->segments[i]};
        pattern += len;
    }
}

static int twice(struct text name, struct err *err)
{
    char pointer[ROUTER_TARGET_BYTES * 2 + 2] = "/";
    size_t used = 1;

    /* As RFC 6901 escapes the two characters that mean something in a pointer. */
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '~' || c == '/')
            pointer[used++] = '~';
        pointer[used++] = (char)(c == '~' ? '0' : c == '/' ? '1' : c);
    }
    pointer[used] = '\0';
    return err_field(err, ERR_INVALID_REQUEST, pointer, "is given more than once");
}

static int add_query_param(struct text raw, struct arena *arena, struct match *ret, struct err *err)
{
    struct param *param = &ret->query[ret->n_query];
    struct text name = text_cut(&raw, '=');
    struct text value = text_present(raw) ? raw : TEXT("");

    if (percent_decode(name, true, arena, &param->name, err) ||
        percent_decode(value, true, arena, &param->value, err))
        return -1;
    if (!text_is_utf8(param->name))
        return err_set(err, ERR_MALFORMED_REQUEST, "the query has a name that is not UTF-8");
    for (size_t i = 0; i < ret->n_query; i++)
        if (text_equal(ret->query[i].name, param->name))
            return twice(param->name, err);
    ret->n_query++;
    return 0;
}

static int split_query(struct text raw, struct arena *arena, struct match *ret, struct err *err)
{
    if (raw.len == 0)
        return 0;
    ret->query = arena_alloc(arena, ROUTER_QUERY_PARAMS * sizeof(*ret->query));
    while (text_present(raw)) {
        struct text piece = text_cut(&raw, '&');
        if (piece.len == 0)
            continue;
        if (ret->n_query == ROUTER_QUERY_PARAMS)
            return err_set(
                err, ERR_MALFORMED_REQUEST, "the query has more than %d parameters",
                ROUTER_QUERY_PARAMS);
        if (add_query_param(piece, arena, ret, err))
            return -1;
    }
    return 0;
}

int router_match(
    const struct route *table,
    size_t n,
    const char *method,
    struct text target,
    struct arena *arena,
    struct match *ret,
    struct err *err)
{
    struct path path = {.n = 0};

    *ret = (struct match){.route = NULL};
    if (check_target(target, err))
        return -1;
    struct text query = target;
    struct text before_query = text_cut(&query, '?');
    if (split_path(before_query, arena, &path, err) ||
        find_route(table, n, method, &path, ret, err))
        return -1;
    name_path_params(&path, arena, ret);
    return split_query(query, arena, ret, err);
}
