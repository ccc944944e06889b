#include "base/json.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that may not stand for themselves within a string. 0xC2 begins the controls above U+007F
 * and 0xE2 the separators. */
static const bool special[256] = {
    [0x00 ... 0x1F] = true, ['"'] = true,  ['\\'] = true,
    [0x7F] = true,          [0xC2] = true, [0xE2] = true,
};

/* How many bytes at p stand for themselves. */
static size_t plain_run(const unsigned char *p, size_t len)
{
    size_t n = 0;

    while (n < len && !special[p[n]])
        n++;
    return n;
}

/* Writes the character at p, which may need an escape; returns how many bytes it has. */
static size_t write_character(struct buf *ret, const unsigned char *p, size_t len)
{
    if (p[0] == '"' || p[0] == '\\') {
        buf_char(ret, '\\');
        buf_char(ret, (char)p[0]);
        return 1;
    }
    if (p[0] == '\n') {
        buf_text(ret, TEXT("\\n"));
        return 1;
    }
    if (p[0] < 0x20 || p[0] == 0x7F) {
        buf_printf(ret, "\\u%04x", p[0]);
        return 1;
    }
    if (p[0] == 0xC2 && len > 1 && p[1] < 0xA0) {
        buf_printf(ret, "\\u%04x", p[1]);
        return 2;
    }
    if (p[0] == 0xE2 && len > 2 && p[1] == 0x80 && (p[2] & 0xFE) == 0xA8) {
        buf_printf(ret, "\\u20%02x", p[2] & 0x7F);
        return 3;
    }
    buf_char(ret, (char)p[0]);
    return 1;
}

void json_write_text(struct buf *ret, struct text t)
{
    const unsigned char *p = (const unsigned char *)t.ptr;

    buf_char(ret, '"');
    for (size_t i = 0; i < t.len;) {
        size_t n = plain_run(p + i, t.len - i);
        buf_add(ret, p + i, n);
        i += n;
        if (i < t.len)
            i += write_character(ret, p + i, t.len - i);
    }
    buf_char(ret, '"');
}

void json_write_i64(struct buf *ret, int64_t value)
{
    char digits[24];
    char *p = digits + sizeof(digits);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--p = '-';
    buf_add(ret, p, (size_t)(digits + sizeof(digits) - p));
}

void json_write_real(struct buf *ret, double value)
{
    char digits[32];

    for (int precision = DBL_DIG; precision <= DBL_DECIMAL_DIG; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    buf_text(ret, text_of(digits));
    if (!strpbrk(digits, ".e"))
        buf_text(ret, TEXT(".0"));
}

static void write_object(struct buf *ret, const json_t *json)
{
    const char *name;
    json_t *value;
    char before = '{';

    json_object_foreach((json_t *)json, name, value) {
        buf_char(ret, before);
        json_write_text(ret, text_of(name));
        buf_char(ret, ':');
        json_write_tree(ret, value);
        before = ',';
    }
    buf_text(ret, before == '{' ? TEXT("{}") : TEXT("}"));
}

static void write_array(struct buf *ret, const json_t *json)
{
    buf_char(ret, '[');
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (i)
            buf_char(ret, ',');
        json_write_tree(ret, json_array_get(json, i));
    }
    buf_char(ret, ']');
}

void json_write_tree(struct buf *ret, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        write_object(ret, json);
        return;
    case JSON_ARRAY:
        write_array(ret, json);
        return;
    case JSON_STRING:
        json_write_text(ret, (struct text){json_string_value(json), json_string_length(json)});
        return;
    case JSON_INTEGER:
        json_write_i64(ret, json_integer_value(json));
        return;
    case JSON_REAL:
        json_write_real(ret, json_real_value(json));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        buf_text(ret, json_is_true(json) ? TEXT("true") : TEXT("false"));
        return;
    case JSON_NULL:
        buf_text(ret, TEXT("null"));
        return;
    }
}
