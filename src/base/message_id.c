#include "base/message_id.h"

#include <openssl/evp.h>

/* Layout: version, receiver, receiver_seq, sender, sender_seq, sent_at as LEB128, four bytes nonce:
 * at most 1 + 5 * 9 + 4 = 50 bytes, 67 characters. */
#define VERSION 1
#define BYTES_MAX 50

static unsigned char *put_number(unsigned char *p, int64_t value)
{
    uint64_t rest = (uint64_t)value;

    while (rest >= 0x80) {
        *p++ = (unsigned char)(rest | 0x80);
        rest >>= 7;
    }
    *p++ = (unsigned char)rest;
    return p;
}

static bool take_number(const unsigned char **p, const unsigned char *end, int64_t *ret)
{
    uint64_t value = 0;

    for (int shift = 0; shift < 63 && *p < end; shift += 7) {
        unsigned char byte = *(*p)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte & 0x80)
            continue;
        *ret = (int64_t)value;
        return byte != 0 || shift == 0; /* one spelling only */
    }
    return false;
}

struct text message_id_to_text(const struct message_id *id, char buffer[MESSAGE_ID_TEXT])
{
    unsigned char bytes[BYTES_MAX + 3] = {VERSION};
    unsigned char *p = bytes + 1;

    p = put_number(p, id->receiver);
    p = put_number(p, id->receiver_seq);
    p = put_number(p, id->sender);
    p = put_number(p, id->sender_seq);
    p = put_number(p, id->sent_at);
    for (int shift = 24; shift >= 0; shift -= 8)
        *p++ = (unsigned char)(id->nonce >> shift);

    int n_bytes = (int)(p - bytes);
    EVP_EncodeBlock((unsigned char *)buffer, bytes, n_bytes);
    size_t length = ((size_t)n_bytes * 4 + 2) / 3; /* without padding */
    for (size_t i = 0; i < length; i++)
        buffer[i] = buffer[i] == '+' ? '-' : buffer[i] == '/' ? '_' : buffer[i];
    buffer[length] = '\0';
    return (struct text){buffer, length};
}

bool message_id_from_text(struct text t, struct message_id *ret)
{
    unsigned char padded[MESSAGE_ID_TEXT + 4], bytes[MESSAGE_ID_TEXT];
    struct message_id id = {0};
    size_t n = t.len;

    if (n < 14 || n >= MESSAGE_ID_TEXT || n % 4 == 1)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = t.ptr[i];
        if (c == '+' || c == '/' || c == '=')
            return false;
        padded[i] = (unsigned char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    while (n % 4)
        padded[n++] = '=';
    int decoded = EVP_DecodeBlock(bytes, padded, (int)n);
    if (decoded < 0)
        return false;
    const unsigned char *p = bytes;
    const unsigned char *end = bytes + (size_t)decoded - (n - t.len);
    if (*p++ != VERSION || !take_number(&p, end, &id.receiver) ||
        !take_number(&p, end, &id.receiver_seq) || !take_number(&p, end, &id.sender) ||
        !take_number(&p, end, &id.sender_seq) || !take_number(&p, end, &id.sent_at) || end - p != 4)
        return false;
    for (; p < end; p++)
        id.nonce = id.nonce << 8 | *p;
    *ret = id;

    /* One spelling for each id: the unused bits of the last character are zero. */
    char again[MESSAGE_ID_TEXT];
    return text_equal(message_id_to_text(&id, again), t);
}
