/* open_msg_svc: the messages of an hour as a file, behind a link that expires. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/clock.h"
#include "http/v4/history_file.h"
#include "http/v4/state.h"
#include "ops/archive.h"
#include "ops/services.h"

#define LINK_SECONDS 3600
#define MSG_TIME_DIGITS 10
#define HOUR_CHARS 13 /* 2026-11-22T14 */
#define PIECE_BYTES_MAX (8u << 20)
#define MAC_CHARS 64

/* "2026010108" in China time as "2026-01-01T00", the hour of an archive; absent when it is none. */
static struct text hour_of(struct arena *arena, struct text msg_time, int64_t *ret_us)
{
    const char *t = msg_time.ptr;
    char buffer[CLOCK_TEXT];

    for (size_t i = 0; i < msg_time.len; i++)
        if (t[i] < '0' || t[i] > '9')
            return TEXT_ABSENT;
    if (msg_time.len != MSG_TIME_DIGITS ||
        !clock_from_text(
            text_of(arena_printf(arena, "%.4s-%.2s-%.2sT%.2s:00:00+08:00", t, t + 4, t + 6, t + 8)),
            ret_us))
        return TEXT_ABSENT;
    struct text time = arena_text(arena, clock_to_text(*ret_us, buffer));
    return (struct text){time.ptr, HOUR_CHARS};
}

/* What a link says, signed with the app's key. */
static void sign_link(
    struct text key,
    struct text msg_time,
    int64_t bytes,
    int64_t expires_s,
    char ret[MAC_CHARS + 1])
{
    unsigned char mac[MAC_CHARS / 2];
    buf_auto text = BUF(256);

    buf_printf(
        &text, "file:%.*s\nbytes:%" PRId64 "\nexpires:%" PRId64 "\n", TEXT_ARG(msg_time), bytes,
        expires_s);
    HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)text.ptr, text.len, mac, NULL);
    for (size_t i = 0; i < sizeof(mac); i++)
        snprintf(ret + 2 * i, 3, "%02x", mac[i]);
}

/* ---- get_history ---- */

static const struct v4_field get_history_in[] = {
    {"ChatType", .kind = V4_TEXT, .required = true, .code = 1002},
    {"MsgTime", .kind = V4_TEXT, .required = true, .code = 1002},
    V4_LAST,
};

static const struct v4_field file_item[] = {
    {"URL", .kind = V4_TEXT},
    {"ExpireTime", .kind = V4_TEXT},
    {"FileSize", .kind = V4_INT},
    {"FileMD5", .kind = V4_TEXT},
    {"GzipSize", .kind = V4_INT},
    {"GzipMD5", .kind = V4_TEXT},
    V4_LAST,
};

static const struct v4_field get_history_out[] = {
    {"File", .kind = V4_LIST, .of = file_item},
    V4_LAST,
};

struct making {
    struct text archive; /* its SHA-256 */
    int64_t bytes;       /* of the archive */
    struct history_file *file;
};

/* "https://chat.example.org", as the client knows the server. */
static struct text origin(const struct v4_call *c)
{
    const char *url = c->op->services->settings->v4_url;

    return text_of(*url ? url : arena_printf(c->op->arena, "http://%.*s", TEXT_ARG(c->host)));
}

static json_t *link_out(struct v4_call *c, const struct history_facts *facts)
{
    char mac[MAC_CHARS + 1], time[CLOCK_TEXT];
    const struct making *making = c->state;
    int64_t bytes = making->bytes;
    struct text from = origin(c);
    int64_t expires_s = clock_now_us() / USEC_PER_SEC + LINK_SECONDS;
    struct text msg_time = v4_text(c, "MsgTime");

    sign_link(v4_key(c->op->services->v4), msg_time, bytes, expires_s, mac);
    /* In China time, as all the rest. */
    struct text local = clock_to_text((expires_s + 8 * 3600) * USEC_PER_SEC, time);
    return json_pack(
        "{s:o, s:o, s:I, s:s, s:I, s:s}", "URL",
        json_sprintf(
            "%.*s/v4/files/%.*s.gz?bytes=%" PRId64 "&expires=%" PRId64 "&signature=%s",
            TEXT_ARG(from), TEXT_ARG(msg_time), bytes, expires_s, mac),
        "ExpireTime", json_sprintf("%.10s %.8s", local.ptr, local.ptr + 11), "FileSize",
        facts->size, "FileMD5", facts->md5, "GzipSize", facts->gzip_size, "GzipMD5",
        facts->gzip_md5);
}

static void answer_file(struct v4_call *c, const struct history_facts *facts)
{
    if (facts->messages == 0)
        v4_fail(c, 1004, "there are no messages in that hour");
    else
        v4_answer(c, "File", json_pack("[o]", link_out(c, facts)));
}

/* Only its size and digests are wanted: the file is made again for whoever fetches it. */
static void take_piece(struct v4_call *c)
{
    const struct making *making = c->state;
    buf_auto made = BUF(PIECE_BYTES_MAX);
    struct history_facts facts;

    if (history_file_add(making->file, c->step.raw, !c->step.more, &made) != 0) {
        v4_fail(c, 1003, "the archive is not as it must be");
        return;
    }
    if (c->step.more) {
        v4_more(c, take_piece);
        return;
    }
    history_file_facts(making->file, &facts);
    v4_keep_file(c->op->services->v4, making->archive, &facts);
    answer_file(c, &facts);
}

static void make_file(struct v4_call *c)
{
    struct making *making = c->state;

    making->file = history_file_new(c->op->services->settings->v4_app_id, v4_text(c, "MsgTime"));
    arena_defer(c->op->arena, history_file_free, making->file);
    c->step.file.coding = CODING_IDENTITY;
    c->step.file.position = 0;
    c->step.file.end = making->bytes;
    v4_more(c, take_piece);
}

static void take_archive(struct v4_call *c)
{
    struct making *making = arena_alloc(c->op->arena, sizeof(*making));
    struct history_facts facts;

    making->archive = *(const struct text *)v4_out(c, "sha256");
    making->bytes = *(const int64_t *)v4_out(c, "bytes");
    c->state = making;
    if (v4_known_file(c->op->services->v4, making->archive, &facts))
        answer_file(c, &facts);
    else
        make_file(c);
}

static void get_history(struct v4_call *c)
{
    int64_t hour_us;
    struct text hour = hour_of(c->op->arena, v4_text(c, "MsgTime"), &hour_us);
    const struct v4_ask ask = {.path = {V4_PARAM("hour", hour)}};

    if (!text_equal(v4_text(c, "ChatType"), TEXT("C2C")))
        v4_fail(c, 1002, "ChatType must be C2C: there are no groups here");
    else if (!text_present(hour))
        v4_fail(c, 1002, "MsgTime must be ten digits: year, month, day, hour");
    else
        v4_ask(c, &archive_get, &ask, take_archive);
}

const struct v4_work v4_get_history = {get_history_in, get_history_out, get_history};

/* ---- the file ---- */

struct file_asked {
    struct text file;
    int64_t bytes;
    int64_t expires;
    struct text signature;
    int64_t hour_us;
    struct history_file *made;
};

static const struct field file_asked_fields[] = {
    FIELD_TEXT(struct file_asked, file, .from = IN_PATH, .required = true, .min = 1, .max = 64),
    FIELD_INT(struct file_asked, bytes, .from = IN_QUERY, .required = true),
    FIELD_INT(struct file_asked, expires, .from = IN_QUERY, .required = true),
    FIELD_TEXT(
        struct file_asked,
        signature,
        .from = IN_QUERY,
        .required = true,
        .min = MAC_CHARS,
        .max = MAC_CHARS),
    FIELD_END,
};

static int check_link(struct op *op, struct file_asked *in, struct text msg_time)
{
    char mac[MAC_CHARS + 1];
    struct text key = v4_key(op->services->v4);

    if (in->file.len != MSG_TIME_DIGITS + sizeof(".gz") - 1 || key.len == 0 ||
        !text_present(hour_of(op->arena, msg_time, &in->hour_us)))
        return err_plain(op->err, ERR_ARCHIVE_UNKNOWN);
    sign_link(key, msg_time, in->bytes, in->expires, mac);
    if (CRYPTO_memcmp(mac, in->signature.ptr, MAC_CHARS) != 0)
        return err_set(op->err, ERR_FORBIDDEN, "the link is not as it was given");
    if (clock_now_us() / USEC_PER_SEC > in->expires)
        return err_set(op->err, ERR_FORBIDDEN, "the link has expired; get_history gives another");
    return 0;
}

static int v4_file_decode(struct op *op, const struct field_source *source, struct text body)
{
    struct file_asked *in = arena_alloc(op->arena, sizeof(*in));

    (void)body;
    op->in = in;
    if (fields_decode(&op->operation->in, source, op->arena, in, op->err) != 0)
        return -1;
    struct text msg_time = {in->file.ptr, MSG_TIME_DIGITS};
    if (check_link(op, in, msg_time) != 0)
        return -1;
    op->file.coding = CODING_IDENTITY;
    op->file.end = in->bytes;
    in->made = history_file_new(op->services->settings->v4_app_id, msg_time);
    arena_defer(op->arena, history_file_free, in->made);
    return 0;
}

static int v4_file_run(struct op *op)
{
    const struct file_asked *in = op->in;
    struct buf made = BUF(PIECE_BYTES_MAX);

    if (archive_piece(op, in->hour_us) != 0)
        return -1;
    int added = history_file_add(in->made, op->raw, !op->more, &made);
    arena_defer(op->arena, free, made.ptr);
    op->raw = buf_as_text(&made);
    return added == 0 ? 0 : err_set(op->err, ERR_INTERNAL, "the archive is not as it must be");
}

const struct operation v4_file = {
    .name = "v4_file",
    .lane = LANE_READER,
    .decode = v4_file_decode,
    .run = v4_file_run,
    .stream = true,
    .in = FIELDS(file_asked_fields, struct file_asked),
    .content_type = "application/gzip",
};
