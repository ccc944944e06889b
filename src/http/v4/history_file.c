#include "http/v4/history_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "http/v4/elements.h"
#include "http/v4/message_key.h"

#define LINE_BYTES_MAX (1u << 20)
#define GZIP_WINDOW_BITS (15 + 16) /* 16: with gzip's head and tail */
#define GZIP_LEVEL 4
#define OUT_BYTES 16384
#define MD5_BYTES 16

struct history_file {
    struct buf rest; /* the beginning of a line that a piece has cut */
    z_stream z;
    EVP_MD_CTX *md5;
    EVP_MD_CTX *gzip_md5;
    bool ended;
    struct history_facts facts;
};

struct history_file *history_file_new(int64_t app_id, struct text msg_time)
{
    struct history_file *file = mem_alloc(sizeof(*file));

    file->rest = BUF(LINE_BYTES_MAX);
    deflateInit2(&file->z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY);
    file->md5 = EVP_MD_CTX_new();
    file->gzip_md5 = EVP_MD_CTX_new();
    EVP_DigestInit_ex(file->md5, EVP_md5(), NULL);
    EVP_DigestInit_ex(file->gzip_md5, EVP_md5(), NULL);
    buf_printf(
        &file->rest,
        "{\"SdkAppId\":%" PRId64 ",\"ChatType\":\"C2C\",\"MsgTime\":\"%.*s\",\"MsgList\":[", app_id,
        TEXT_ARG(msg_time));
    return file;
}

void history_file_free(void *file)
{
    struct history_file *f = file;

    deflateEnd(&f->z);
    EVP_MD_CTX_free(f->md5);
    EVP_MD_CTX_free(f->gzip_md5);
    buf_done(&f->rest);
    free(f);
}

static void compress_into(struct history_file *file, struct text t, int flush, struct buf *ret)
{
    unsigned char out[OUT_BYTES];
    int result;

    EVP_DigestUpdate(file->md5, t.ptr, t.len);
    file->facts.size += (int64_t)t.len;
    file->z.next_in = (Bytef *)(uintptr_t)t.ptr;
    file->z.avail_in = (uInt)t.len;
    do {
        file->z.next_out = out;
        file->z.avail_out = sizeof(out);
        result = deflate(&file->z, flush);
        size_t n = sizeof(out) - file->z.avail_out;
        EVP_DigestUpdate(file->gzip_md5, out, n);
        file->facts.gzip_size += (int64_t)n;
        buf_add(ret, out, n);
    } while (file->z.avail_out == 0 && result != Z_STREAM_END);
}

static void write_text_member(struct buf *ret, const char *name, const json_t *value)
{
    buf_printf(ret, "\"%s\":", name);
    json_write_text(ret, json_is_string(value) ? v4_text_of(value) : TEXT(""));
    buf_char(ret, ',');
}

/* As /v1 shows a message, with its key. */
static void write_message(struct buf *ret, const json_t *message)
{
    struct message_key key = {0, 0, 0};
    json_t *msg_body = v4_elements_out(json_object_get(message, "elements"));

    message_key_parse(v4_text_in(message, "key"), &key);
    buf_char(ret, '{');
    write_text_member(ret, "From_Account", json_object_get(message, "from"));
    write_text_member(ret, "To_Account", json_object_get(message, "to"));
    buf_printf(
        ret,
        "\"MsgTimestamp\":%" PRId64 ",\"MsgSeq\":%" PRId64 ",\"MsgRandom\":%" PRId64
        ",\"MsgBody\":",
        key.time_s, key.seq, key.random);
    json_write_tree(ret, msg_body);
    buf_char(ret, ',');
    buf_text(ret, TEXT("\"CloudCustomData\":"));
    json_write_text(
        ret, json_is_string(json_object_get(message, "custom_data"))
                 ? v4_text_of(json_object_get(message, "custom_data"))
                 : TEXT(""));
    buf_char(ret, '}');
    json_decref(msg_body);
}

/* The last line of an archive is no message but their number. */
static int add_line(struct history_file *file, struct text line, struct buf *ret)
{
    buf_auto out = BUF(LINE_BYTES_MAX);
    json_t *json = json_loadb(line.ptr, line.len, 0, NULL);

    if (json_object_get(json, "id")) {
        /* A comma ends the line before. */
        buf_text(&out, file->facts.messages ? TEXT(",\n") : TEXT("\n"));
        write_message(&out, json);
        file->facts.messages++;
        compress_into(file, buf_as_text(&out), Z_NO_FLUSH, ret);
    }
    bool good = json && !out.failed;
    json_decref(json);
    return good ? 0 : -1;
}

/* What was begun at the making goes out as the first bytes. */
static void add_head(struct history_file *file, struct buf *ret)
{
    if (file->facts.size)
        return;
    compress_into(file, buf_as_text(&file->rest), Z_NO_FLUSH, ret);
    buf_clear(&file->rest);
}

int history_file_add(struct history_file *file, struct text piece, bool last, struct buf *ret)
{
    add_head(file, ret);
    while (piece.len) {
        const char *end = memchr(piece.ptr, '\n', piece.len);
        size_t n = end ? (size_t)(end - piece.ptr) : piece.len;
        buf_add(&file->rest, piece.ptr, n);
        piece = (struct text){piece.ptr + n + (end ? 1 : 0), piece.len - n - (end ? 1 : 0)};
        if (!end)
            break;
        if (file->rest.failed || add_line(file, buf_as_text(&file->rest), ret) != 0)
            return -1;
        buf_clear(&file->rest);
    }
    if (last && !file->ended) {
        file->ended = true;
        compress_into(file, TEXT("\n]}\n"), Z_FINISH, ret);
    }
    return ret->failed ? -1 : 0;
}

static void write_md5(const EVP_MD_CTX *of, char ret[HISTORY_MD5_TEXT])
{
    unsigned char md5[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *copy = EVP_MD_CTX_new();

    EVP_MD_CTX_copy_ex(copy, of);
    EVP_DigestFinal_ex(copy, md5, NULL);
    EVP_MD_CTX_free(copy);
    for (int i = 0; i < MD5_BYTES; i++)
        snprintf(ret + 2 * i, 3, "%02x", md5[i]);
}

void history_file_facts(const struct history_file *file, struct history_facts *ret)
{
    *ret = file->facts;
    write_md5(file->md5, ret->md5);
    write_md5(file->gzip_md5, ret->gzip_md5);
}
