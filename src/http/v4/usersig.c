#include "http/v4/usersig.h"

#include <inttypes.h>
#include <zlib.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/json.h"

#define MAC_BYTES 32
#define MAC_CHARS 44 /* in base64, with padding */

enum {
    SIG_EXPIRED = 70001,
    SIG_EMPTY = 70002,
    SIG_MALFORMED = 70003,
    SIG_WRONG = 70009,
};

/* ---- base64 with '*', '-' and '_' for '+', '/' and '=' ---- */

static char from_url(char c)
{
    return c == '*' ? '+' : c == '-' ? '/' : c == '_' ? '=' : c;
}

static char to_url(char c)
{
    return c == '+' ? '*' : c == '/' ? '-' : c == '=' ? '_' : c;
}

/* The bytes behind the text; -1 when it is no base64. `bytes` has room for three in four. */
static int decode(struct text t, unsigned char *bytes)
{
    unsigned char plain[USERSIG_TEXT_BYTES];
    int padding = 0;

    if (t.len == 0 || t.len > sizeof(plain) || t.len % 4 != 0)
        return -1;
    for (size_t i = 0; i < t.len; i++)
        plain[i] = (unsigned char)from_url(t.ptr[i]);
    while (padding < 2 && plain[t.len - 1 - (size_t)padding] == '=')
        padding++;
    int n = EVP_DecodeBlock(bytes, plain, (int)t.len);
    return n < 0 ? -1 : n - padding;
}

/* ---- zlib ---- */

/* Never writes more than there is room for, whatever the stream would become. Nothing may stand
 * behind it: the same signature would have any number of texts. */
static int inflate_into(const unsigned char *bytes, int n, char *ret, size_t size)
{
    z_stream z = {.next_in = (unsigned char *)bytes, .avail_in = (unsigned)n};

    if (inflateInit(&z) != Z_OK)
        return -1;
    z.next_out = (unsigned char *)ret;
    z.avail_out = (unsigned)size;
    int result = inflate(&z, Z_FINISH);
    size_t written = size - z.avail_out;
    inflateEnd(&z);
    return result == Z_STREAM_END && z.avail_in == 0 ? (int)written : -1;
}

/* ---- what is signed ---- */

static void mac_of(const struct usersig *of, struct text user_buffer, struct text key, char *ret)
{
    unsigned char mac[MAC_BYTES];
    unsigned size = sizeof(mac);
    buf_auto lines = BUF(2 * USERSIG_JSON_BYTES);

    buf_printf(
        &lines,
        "TLS.identifier:%.*s\nTLS.sdkappid:%" PRId64 "\nTLS.time:%" PRId64 "\nTLS.expire:%" PRId64
        "\n",
        TEXT_ARG(of->identifier), of->app_id, of->made_at_s, of->expires_in_s);
    if (text_present(user_buffer))
        buf_printf(&lines, "TLS.userbuf:%.*s\n", TEXT_ARG(user_buffer));
    HMAC(
        EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)lines.ptr, lines.len, mac,
        &size);
    EVP_EncodeBlock((unsigned char *)ret, mac, MAC_BYTES);
}

/* ---- verifying ---- */

static struct text text_member(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    return json_is_string(value)
               ? (struct text){json_string_value(value), json_string_length(value)}
               : TEXT_ABSENT;
}

static bool number_member(const json_t *json, const char *name, int64_t *ret)
{
    const json_t *value = json_object_get(json, name);

    *ret = json_integer_value(value);
    return json_is_integer(value) && *ret >= 0 && *ret <= UINT32_MAX;
}

static bool is_well_formed(const json_t *json, struct usersig *ret)
{
    ret->identifier = text_member(json, "TLS.identifier");
    return text_equal(text_member(json, "TLS.ver"), TEXT("2.0")) && text_present(ret->identifier) &&
           !text_has_control(ret->identifier) &&
           number_member(json, "TLS.sdkappid", &ret->app_id) &&
           number_member(json, "TLS.time", &ret->made_at_s) &&
           number_member(json, "TLS.expire", &ret->expires_in_s);
}

static int check(const json_t *json, struct text key, int64_t now_s, struct usersig *ret)
{
    char mac[MAC_CHARS + 1];
    struct text signature = text_member(json, "TLS.sig");

    if (!is_well_formed(json, ret))
        return SIG_MALFORMED;
    mac_of(ret, text_member(json, "TLS.userbuf"), key, mac);
    if (signature.len != MAC_CHARS || CRYPTO_memcmp(signature.ptr, mac, MAC_CHARS) != 0)
        return SIG_WRONG;
    if (ret->made_at_s > now_s + USERSIG_LEEWAY_SECONDS)
        return SIG_MALFORMED;
    /* The last second is still good. */
    return now_s > ret->made_at_s + ret->expires_in_s ? SIG_EXPIRED : 0;
}

int usersig_verify(
    struct text usersig, struct text key, int64_t now_s, struct arena *arena, struct usersig *ret)
{
    unsigned char bytes[USERSIG_TEXT_BYTES];
    char inflated[USERSIG_JSON_BYTES];

    if (usersig.len == 0)
        return SIG_EMPTY;
    int n_bytes = decode(usersig, bytes);
    int n_inflated = n_bytes > 0 ? inflate_into(bytes, n_bytes, inflated, sizeof(inflated)) : -1;
    if (n_inflated < 0)
        return SIG_MALFORMED;
    json_t *json = json_loadb(inflated, (size_t)n_inflated, JSON_REJECT_DUPLICATES, NULL);
    int wrong = check(json, key, now_s, ret);
    if (text_present(ret->identifier))
        ret->identifier = arena_text(arena, ret->identifier);
    json_decref(json);
    return wrong;
}

/* ---- making ---- */

int usersig_make(const struct usersig *of, struct text key, struct buf *ret)
{
    char mac[MAC_CHARS + 1];
    unsigned char packed[USERSIG_JSON_BYTES];
    unsigned char text[USERSIG_JSON_BYTES / 3 * 4 + 5];
    uLongf n_packed = sizeof(packed);
    buf_auto json = BUF(USERSIG_JSON_BYTES);

    mac_of(of, TEXT_ABSENT, key, mac);
    buf_text(&json, TEXT("{\"TLS.ver\":\"2.0\",\"TLS.identifier\":"));
    json_write_text(&json, of->identifier);
    buf_printf(
        &json,
        ",\"TLS.sdkappid\":%" PRId64 ",\"TLS.time\":%" PRId64 ",\"TLS.expire\":%" PRId64
        ",\"TLS.sig\":\"%s\"}",
        of->app_id, of->made_at_s, of->expires_in_s, mac);
    if (json.failed || compress(packed, &n_packed, (const Bytef *)json.ptr, json.len) != Z_OK)
        return -1;
    int n = EVP_EncodeBlock(text, packed, (int)n_packed);
    for (int i = 0; i < n; i++)
        buf_char(ret, to_url((char)text[i]));
    return ret->failed ? -1 : 0;
}
