#include "http/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fields.h"
#include "base/memory.h"
#include "http/base64url.h"

#define FILE_BYTES 262144
#define KEYS_MAX 64
#define SECRET_MAX_CHARS 2048
#define PEM_MAX_BYTES 8192
/* A signature of a larger key would not fit beside the claims into a token. */
#define RSA_MAX_BITS 8192

struct keys {
    atomic_uint references;
    const struct key *signing; /* one of list */
    size_t n;
    struct key list[];
};

/* The file, as it is written. */
struct key_row {
    struct text kid;
    struct text alg;
    struct text secret;
    struct text public_key;
};

struct key_file {
    struct list keys; /* of struct key_row */
    struct text signing_kid;
};

static const char *const algorithms[] = {"HS256", "RS256", "ES256", NULL};

static const struct field key_row_fields[] = {
    FIELD_TEXT(struct key_row, kid, .required = true, .min = 1, .max = KID_BYTES),
    FIELD_TEXT(struct key_row, alg, .required = true, .one_of = algorithms),
    FIELD_TEXT(struct key_row, secret, .min = 1, .max = SECRET_MAX_CHARS),
    FIELD_TEXT(struct key_row, public_key, .min = 1, .max = PEM_MAX_BYTES, .multiline = true),
    FIELD_END,
};
static const struct fields key_row_table = FIELDS(key_row_fields, struct key_row);

static const struct field key_file_fields[] = {
    FIELD_LIST(
        struct key_file, keys, .required = true, .min = 1, .max = KEYS_MAX, .of = &key_row_table),
    FIELD_TEXT(struct key_file, signing_kid, .min = 1, .max = KID_BYTES),
    FIELD_END,
};
static const struct fields key_file_table = FIELDS(key_file_fields, struct key_file);

/* What one loading works with; `why` belongs to the caller. */
struct loading {
    const char *path;
    char *why;
    size_t why_size;
    struct arena *arena;
    struct keys *keys;
};

__attribute__((format(printf, 2, 3))) static int refuse(
    struct loading *loading, const char *format, ...)
{
    char fault[512];
    va_list args;

    va_start(args, format);
    vsnprintf(fault, sizeof(fault), format, args);
    va_end(args);
    snprintf(loading->why, loading->why_size, "key file %s: %s", loading->path, fault);
    return -1;
}

#define REFUSE_KEY(loading, key, ...) refuse_key(loading, (key)->kid, __VA_ARGS__)

__attribute__((format(printf, 3, 4))) static int refuse_key(
    struct loading *loading, const char *kid, const char *format, ...)
{
    char fault[256];
    va_list args;

    va_start(args, format);
    vsnprintf(fault, sizeof(fault), format, args);
    va_end(args);
    return refuse(loading, "key \"%s\" %s", kid, fault);
}

bool kid_is_valid(struct text kid)
{
    for (size_t i = 0; i < kid.len; i++) {
        char c = kid.ptr[i];
        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '_' && c != '-')
            return false;
    }
    return kid.len >= 1 && kid.len <= KID_BYTES;
}

/* ---- one key ---- */

static int load_secret(struct loading *loading, const struct key_row *row, struct key *key)
{
    if (text_present(row->public_key))
        return REFUSE_KEY(loading, key, "has a public_key, but HS256 takes a secret only");
    if (!text_present(row->secret))
        return REFUSE_KEY(loading, key, "has no secret");
    key->material = mem_alloc(BASE64URL_ROOM(row->secret.len));
    if (!base64url_decode(row->secret, key->material, &key->material_size))
        return REFUSE_KEY(loading, key, "has a secret that is not base64url without padding");
    if (key->material_size < SECRET_MIN_BYTES)
        return REFUSE_KEY(
            loading, key, "has a secret of %zu bytes; it must have %d or more", key->material_size,
            SECRET_MIN_BYTES);
    key->signature_size = 32;
    return 0;
}

/* Without this OpenSSL would ask for the passphrase of an encrypted key on the terminal. */
static int no_passphrase(char *buffer, int size, int for_writing, void *context)
{
    (void)buffer, (void)size, (void)for_writing, (void)context;
    return -1;
}

static int check_rsa(struct loading *loading, const EVP_PKEY *pkey, struct key *key)
{
    int bits = EVP_PKEY_get_bits(pkey);

    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA)
        return REFUSE_KEY(loading, key, "is for RS256, but its public_key is not of RSA");
    if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS)
        return REFUSE_KEY(
            loading, key, "is RSA of %d bits; it must be %d to %d", bits, RSA_MIN_BITS,
            RSA_MAX_BITS);
    key->signature_size = (size_t)EVP_PKEY_get_size(pkey);
    return 0;
}

static int check_ec(struct loading *loading, const EVP_PKEY *pkey, struct key *key)
{
    char curve[64] = "";

    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC)
        return REFUSE_KEY(
            loading, key, "is for ES256, but its public_key is not of an elliptic curve");
    if (!EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), NULL) ||
        strcmp(curve, "prime256v1") != 0)
        return REFUSE_KEY(loading, key, "is for ES256, but its curve is %s, not P-256", curve);
    key->signature_size = 64;
    return 0;
}

static bool is_sound(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
    bool sound = context && EVP_PKEY_public_check(context) == 1;

    EVP_PKEY_CTX_free(context);
    return sound;
}

/* Written out anew, so that libjwt meets a plain PEM of this key and nothing else of the file. */
static bool write_pem(EVP_PKEY *pkey, struct key *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    long size = bio && PEM_write_bio_PUBKEY(bio, pkey) == 1 ? BIO_get_mem_data(bio, &pem) : 0;

    if (size > 0) {
        key->material = mem_alloc((size_t)size);
        key->material_size = (size_t)size;
        memcpy(key->material, pem, (size_t)size);
    }
    BIO_free(bio);
    return size > 0;
}

static int check_pkey(struct loading *loading, EVP_PKEY *pkey, struct key *key)
{
    if (key->alg == JWT_ALG_RS256 ? check_rsa(loading, pkey, key) : check_ec(loading, pkey, key))
        return -1;
    if (!is_sound(pkey))
        return REFUSE_KEY(loading, key, "has a public_key that is broken");
    return write_pem(pkey, key) ? 0 : REFUSE_KEY(loading, key, "cannot be written as PEM");
}

static int load_public_key(struct loading *loading, const struct key_row *row, struct key *key)
{
    if (text_present(row->secret))
        return REFUSE_KEY(
            loading, key, "has a secret, but %s takes a public_key only", jwt_alg_str(key->alg));
    if (!text_present(row->public_key))
        return REFUSE_KEY(loading, key, "has no public_key");
    if (strstr(row->public_key.ptr, "PRIVATE KEY")) /* jansson ends its texts in NUL */
        return REFUSE_KEY(
            loading, key, "holds a private key; only the public one belongs in this file");

    BIO *bio = BIO_new_mem_buf(row->public_key.ptr, (int)row->public_key.len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;
    int result = pkey ? check_pkey(loading, pkey, key)
                      : REFUSE_KEY(loading, key, "has a public_key that is not one in PEM");
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    ERR_clear_error();
    return result;
}

static int load_key(struct loading *loading, const struct key_row *row)
{
    struct key *key = &loading->keys->list[loading->keys->n];

    if (!kid_is_valid(row->kid))
        return refuse(
            loading, "/keys/%zu/kid may only hold A-Z, a-z, 0-9, '.', '_', '-'", loading->keys->n);
    if (keys_find(loading->keys, row->kid))
        return refuse(loading, "two keys are named \"%.*s\"", TEXT_ARG(row->kid));
    loading->keys->n++; /* from here on keys_unref frees what the key holds */
    memcpy(key->kid, row->kid.ptr, row->kid.len);
    key->alg = jwt_str_alg(row->alg.ptr);
    return key->alg == JWT_ALG_HS256 ? load_secret(loading, row, key)
                                     : load_public_key(loading, row, key);
}

/* ---- the file ---- */

static int choose_signing(struct loading *loading, struct text signing_kid)
{
    struct keys *keys = loading->keys;

    if (text_present(signing_kid)) {
        keys->signing = keys_find(keys, signing_kid);
        if (!keys->signing || keys->signing->alg != JWT_ALG_HS256)
            return refuse(
                loading, "signing_kid \"%.*s\" names no HS256 key", TEXT_ARG(signing_kid));
        return 0;
    }
    for (size_t i = 0; i < keys->n && !keys->signing; i++)
        if (keys->list[i].alg == JWT_ALG_HS256)
            keys->signing = &keys->list[i];
    return 0;
}

static int load_file(struct loading *loading, const struct key_file *file)
{
    const struct key_row *rows = file->keys.items;

    loading->keys =
        mem_alloc(sizeof(struct keys) + file->keys.n_items * sizeof(loading->keys->list[0]));
    atomic_init(&loading->keys->references, 1);
    for (size_t i = 0; i < file->keys.n_items; i++)
        if (load_key(loading, &rows[i]))
            return -1;
    return choose_signing(loading, file->signing_kid);
}

/* Of a wrong file: the first wrong field, or where it stops to be JSON. */
static int refuse_as(struct loading *loading, const struct err *err)
{
    if (err->fields)
        return refuse(loading, "%s %s", err->fields->pointer, err->fields->detail);
    return refuse(loading, "is no JSON object: %s", err->detail);
}

/* jansson frees its texts without wiping them. */
static void wipe_secrets(json_t *json)
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json, "keys"), i, row) {
        json_t *secret = json_object_get(row, "secret");
        if (json_is_string(secret))
            OPENSSL_cleanse((char *)json_string_value(secret), json_string_length(secret));
    }
}

static int parse_file(struct loading *loading, struct text content)
{
    struct key_file file = {0};
    struct err err;
    json_t *json = NULL;

    err_init(&err, loading->arena);
    if (fields_parse_json(content, &json, &err))
        return refuse_as(loading, &err);
    struct field_source source = {.body = json};
    int result = fields_decode(&key_file_table, &source, loading->arena, &file, &err)
                     ? refuse_as(loading, &err)
                     : load_file(loading, &file);
    wipe_secrets(json);
    json_decref(json);
    return result;
}

static int read_file(struct loading *loading, char *content, size_t *ret_len)
{
    int fd = open(loading->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = fd < 0 ? -1 : 1;

    *ret_len = 0;
    while (n > 0 && *ret_len <= FILE_BYTES) {
        n = read(fd, content + *ret_len, FILE_BYTES + 1 - *ret_len);
        if (n > 0)
            *ret_len += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
    }
    int fault = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return refuse(loading, "cannot be read: %s", strerror(fault));
    if (*ret_len > FILE_BYTES)
        return refuse(loading, "is larger than %d bytes", FILE_BYTES);
    return 0;
}

int keys_load(const char *path, struct keys **ret, char *why, size_t why_size)
{
    struct loading loading = {path, why, why_size, .arena = arena_new()};
    char *content = mem_alloc(FILE_BYTES + 1);
    size_t len;

    int result = read_file(&loading, content, &len);
    if (result == 0)
        result = parse_file(&loading, (struct text){content, len});
    OPENSSL_cleanse(content, FILE_BYTES + 1);
    free(content);
    arena_free(loading.arena);
    if (result == 0)
        *ret = TAKE(loading.keys);
    keys_unref(loading.keys);
    return result;
}

/* ---- the set ---- */

struct keys *keys_ref(struct keys *keys)
{
    atomic_fetch_add(&keys->references, 1);
    return keys;
}

void keys_unref(struct keys *keys)
{
    if (!keys || atomic_fetch_sub(&keys->references, 1) != 1)
        return;
    for (size_t i = 0; i < keys->n; i++) {
        OPENSSL_cleanse(keys->list[i].material, keys->list[i].material_size);
        free(keys->list[i].material);
    }
    free(keys);
}

const struct key *keys_find(const struct keys *keys, struct text kid)
{
    for (size_t i = 0; i < keys->n; i++)
        if (text_equal(kid, text_of(keys->list[i].kid)))
            return &keys->list[i];
    return NULL;
}

const struct key *keys_signing(const struct keys *keys)
{
    return keys->signing;
}
