#include "http/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "token_testing.h"

#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" /* 32 bytes: 0, 1, … */
#define H1 "{\"kid\":\"h1\",\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}"

/* PEM texts as they stand in JSON. */
static struct {
    struct arena *arena;
    const char *rsa, *rsa_small, *rsa_private, *rsa_pss, *p256, *p384, *ed25519;
} pem;

static const char *public_of(EVP_PKEY *key)
{
    const char *text = testing_json_lines(pem.arena, testing_public(pem.arena, key, true));

    EVP_PKEY_free(key);
    return text;
}

static const char *private_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;

    PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "x", 1, NULL, NULL);
    long size = BIO_get_mem_data(bio, &bytes);
    const char *text = testing_json_lines(pem.arena, (struct text){bytes, (size_t)size});
    BIO_free(bio);
    EVP_PKEY_free(key);
    return text;
}

static EVP_PKEY *rsa_pss(void)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, NULL);
    EVP_PKEY *key = NULL;

    EVP_PKEY_keygen_init(context);
    EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048);
    EVP_PKEY_keygen(context, &key);
    EVP_PKEY_CTX_free(context);
    return key;
}

static int make_keys(void **state)
{
    (void)state;
    pem.arena = arena_new();
    pem.rsa = public_of(EVP_RSA_gen(2048));
    pem.rsa_small = public_of(EVP_RSA_gen(2040));
    pem.rsa_private = private_of(EVP_RSA_gen(2048));
    pem.rsa_pss = public_of(rsa_pss());
    pem.p256 = public_of(EVP_EC_gen("P-256"));
    pem.p384 = public_of(EVP_EC_gen("P-384"));
    pem.ed25519 = public_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    return 0;
}

static int forget_keys(void **state)
{
    (void)state;
    arena_free(pem.arena);
    return 0;
}

static int load(const char *content, struct keys **ret, char *why, size_t why_size)
{
    char path[32];

    testing_write(path, content);
    int result = keys_load(path, ret, why, why_size);
    unlink(path);
    return result;
}

static void a_good_file_is_loaded(void **state)
{
    const char *content = arena_printf(
        pem.arena,
        "{\"keys\": [" H1 ", {\"kid\":\"r.1\",\"alg\":\"RS256\",\"public_key\":\"%s\"},"
        "{\"kid\":\"E_1-\",\"alg\":\"ES256\",\"public_key\":\"%s\"}]}",
        pem.rsa, pem.p256);
    struct keys *keys = NULL;
    char why[512] = "";

    (void)state;
    if (load(content, &keys, why, sizeof(why)))
        fail_msg("%s", why);
    const struct key *h1 = keys_find(keys, TEXT("h1"));
    assert_non_null(h1);
    assert_int_equal(h1->alg, JWT_ALG_HS256);
    assert_int_equal(h1->material_size, 32);
    assert_int_equal(h1->material[31], 31);
    assert_int_equal(h1->signature_size, 32);
    assert_int_equal(keys_find(keys, TEXT("r.1"))->signature_size, 256);
    assert_int_equal(keys_find(keys, TEXT("E_1-"))->signature_size, 64);
    assert_null(keys_find(keys, TEXT("h")));
    assert_null(keys_find(keys, TEXT("H1")));
    assert_null(keys_find(keys, TEXT("h1 ")));
    assert_null(keys_find(keys, TEXT("")));
    assert_ptr_equal(keys_signing(keys), h1);

    assert_ptr_equal(keys_ref(keys), keys);
    keys_unref(keys);
    assert_non_null(keys_find(keys, TEXT("h1")));
    keys_unref(keys);
    keys_unref(NULL);
}

static void signing_kid_chooses_the_key_that_signs(void **state)
{
    struct keys *keys = NULL;
    char why[512] = "";

    (void)state;
    assert_int_equal(
        load(
            "{\"signing_kid\": \"h2\", \"keys\": [" H1
            ",{\"kid\":\"h2\",\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}]}",
            &keys, why, sizeof(why)),
        0);
    assert_string_equal(keys_signing(keys)->kid, "h2");
    keys_unref(keys);
}

static void public_keys_alone_sign_nothing(void **state)
{
    const char *content = arena_printf(
        pem.arena, "{\"keys\":[{\"kid\":\"e\",\"alg\":\"ES256\",\"public_key\":\"%s\"}]}",
        pem.p256);
    struct keys *keys = NULL;
    char why[512] = "";

    (void)state;
    assert_int_equal(load(content, &keys, why, sizeof(why)), 0);
    assert_null(keys_signing(keys));
    keys_unref(keys);
}

/* `%` stands for the PEM text of `pem`. */
struct bad_file {
    const char *name;
    const char *content;
    const char *const *pem;
    const char *said; /* a part of the sentence */
};

#define KEY(members) "{\"keys\":[{\"kid\":\"k\"," members "}]}"

static const struct bad_file bad_files[] = {
    {"an empty file", "", NULL, "JSON"},
    {"no JSON", "keys = 3", NULL, "JSON"},
    {"JSON that is cut off", "{\"keys\":[" H1, NULL, "JSON"},
    {"something behind the JSON", "{\"keys\":[" H1 "]} x", NULL, "JSON"},
    {"an array", "[" H1 "]", NULL, "not an object"},
    {"no keys", "{}", NULL, "/keys is missing"},
    {"an empty list", "{\"keys\":[]}", NULL, "/keys"},
    {"a member that is not known", "{\"keys\":[" H1 "],\"more\":1}", NULL, "/more is not known"},
    {"a name twice", "{\"keys\":[" H1 "],\"keys\":[" H1 "]}", NULL, "JSON"},
    {"a key that is no object", "{\"keys\":[3]}", NULL, "/keys/0 must be an object"},
    {"a key's member that is not known",
     KEY("\"alg\":\"HS256\",\"secret\":\"" SECRET "\",\"use\":\"sig\""), NULL,
     "/keys/0/use is not known"},
    {"two keys of one name", "{\"keys\":[" H1 "," H1 "]}", NULL, "\"h1\""},
    {"no kid", "{\"keys\":[{\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}]}", NULL,
     "/keys/0/kid is missing"},
    {"an empty kid", "{\"keys\":[{\"kid\":\"\",\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}]}",
     NULL, "/keys/0/kid"},
    {"a kid with a slash",
     "{\"keys\":[{\"kid\":\"../k\",\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}]}", NULL,
     "/keys/0/kid"},
    {"a kid of 65 bytes",
     "{\"keys\":[{\"kid\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
     "\"alg\":\"HS256\",\"secret\":\"" SECRET "\"}]}",
     NULL, "/keys/0/kid"},
    {"no alg", KEY("\"secret\":\"" SECRET "\""), NULL, "/keys/0/alg is missing"},
    {"alg none", KEY("\"alg\":\"none\",\"secret\":\"" SECRET "\""), NULL, "/keys/0/alg"},
    {"alg HS512", KEY("\"alg\":\"HS512\",\"secret\":\"" SECRET "\""), NULL, "/keys/0/alg"},
    {"alg in lower case", KEY("\"alg\":\"hs256\",\"secret\":\"" SECRET "\""), NULL, "/keys/0/alg"},
    {"HS256 without a secret", KEY("\"alg\":\"HS256\""), NULL, "key \"k\" has no secret"},
    {"an empty secret", KEY("\"alg\":\"HS256\",\"secret\":\"\""), NULL, "/keys/0/secret"},
    {"a secret of 31 bytes",
     KEY("\"alg\":\"HS256\",\"secret\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg\""), NULL,
     "key \"k\" has a secret of 31 bytes"},
    {"a secret with padding", KEY("\"alg\":\"HS256\",\"secret\":\"" SECRET "=\""), NULL,
     "base64url"},
    {"a secret in plain base64",
     KEY("\"alg\":\"HS256\",\"secret\":\"++++++++++++++++++++++++++++++++++++++++++++\""), NULL,
     "base64url"},
    {"HS256 with a public key",
     KEY("\"alg\":\"HS256\",\"secret\":\"" SECRET "\",\"public_key\":\"%s\""), &pem.rsa,
     "takes a secret only"},
    {"RS256 with a secret",
     KEY("\"alg\":\"RS256\",\"secret\":\"" SECRET "\",\"public_key\":\"%s\""), &pem.rsa,
     "takes a public_key only"},
    {"RS256 without a key", KEY("\"alg\":\"RS256\""), NULL, "key \"k\" has no public_key"},
    {"RS256 with 2040 bits", KEY("\"alg\":\"RS256\",\"public_key\":\"%s\""), &pem.rsa_small,
     "key \"k\" is RSA of 2040 bits"},
    {"RS256 with an EC key", KEY("\"alg\":\"RS256\",\"public_key\":\"%s\""), &pem.p256,
     "not of RSA"},
    {"RS256 with an RSA-PSS key", KEY("\"alg\":\"RS256\",\"public_key\":\"%s\""), &pem.rsa_pss,
     "not of RSA"},
    {"ES256 with P-384", KEY("\"alg\":\"ES256\",\"public_key\":\"%s\""), &pem.p384, "not P-256"},
    {"ES256 with an RSA key", KEY("\"alg\":\"ES256\",\"public_key\":\"%s\""), &pem.rsa,
     "not of an elliptic curve"},
    {"ES256 with an Ed25519 key", KEY("\"alg\":\"ES256\",\"public_key\":\"%s\""), &pem.ed25519,
     "not of an elliptic curve"},
    {"a private key, encrypted", KEY("\"alg\":\"RS256\",\"public_key\":\"%s\""), &pem.rsa_private,
     "holds a private key"},
    {"a public key that is no PEM", KEY("\"alg\":\"RS256\",\"public_key\":\"ssh-rsa AAAA\""), NULL,
     "not one in PEM"},
    {"a PEM with nothing in it",
     KEY("\"alg\":\"RS256\",\"public_key\":\"-----BEGIN PUBLIC KEY-----\\n-----END PUBLIC "
         "KEY-----\\n\""),
     NULL, "not one in PEM"},
    {"a PEM that claims to be encrypted",
     KEY("\"alg\":\"RS256\",\"public_key\":\"-----BEGIN PUBLIC KEY-----\\nProc-Type: "
         "4,ENCRYPTED\\nDEK-Info: "
         "AES-128-CBC,00000000000000000000000000000000\\n\\nAAAA\\n-----END "
         "PUBLIC KEY-----\\n\""),
     NULL, "not one in PEM"},
    {"signing_kid that is not there", "{\"keys\":[" H1 "],\"signing_kid\":\"h2\"}", NULL, "\"h2\""},
    {"signing_kid of a public key",
     "{\"keys\":[{\"kid\":\"e\",\"alg\":\"ES256\",\"public_key\":\"%s\"}],\"signing_kid\":\"e\"}",
     &pem.p256, "\"e\" names no HS256 key"},
};

/* The content with the PEM text in the place of its only %s. */
static const char *content_of(const struct bad_file *file)
{
    const char *mark = strstr(file->content, "%s");

    if (!mark)
        return file->content;
    return arena_printf(
        pem.arena, "%.*s%s%s", (int)(mark - file->content), file->content, *file->pem, mark + 2);
}

static void is_refused(void **state)
{
    const struct bad_file *file = *state;
    struct keys *keys = NULL;
    char why[512] = "";

    assert_int_equal(load(content_of(file), &keys, why, sizeof(why)), -1);
    assert_null(keys);
    if (!strstr(why, file->said) || !strstr(why, "/tmp/duet-keys-"))
        fail_msg("it said: %s", why);
    assert_null(strstr(why, "AAECAwQ")); /* never a part of a secret */
}

static void a_file_that_is_not_there_is_refused(void **state)
{
    struct keys *keys = NULL;
    char why[512] = "";

    (void)state;
    assert_int_equal(keys_load("/nowhere/keys.json", &keys, why, sizeof(why)), -1);
    assert_string_equal(
        why, "key file /nowhere/keys.json: cannot be read: No such file or directory");
    assert_int_equal(keys_load("/tmp", &keys, why, sizeof(why)), -1);
    assert_int_equal(keys_load("/dev/zero", &keys, why, sizeof(why)), -1);
    assert_string_equal(why, "key file /dev/zero: is larger than 262144 bytes");
}

int main(void)
{
    static const struct CMUnitTest fixed[] = {
        cmocka_unit_test(a_good_file_is_loaded),
        cmocka_unit_test(signing_kid_chooses_the_key_that_signs),
        cmocka_unit_test(public_keys_alone_sign_nothing),
        cmocka_unit_test(a_file_that_is_not_there_is_refused),
    };
    enum {
        FIXED = sizeof(fixed) / sizeof(fixed[0]),
        BAD = sizeof(bad_files) / sizeof(bad_files[0])
    };
    struct CMUnitTest tests[FIXED + BAD];

    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < BAD; i++)
        tests[FIXED + i] =
            (struct CMUnitTest){bad_files[i].name, is_refused, NULL, NULL, (void *)&bad_files[i]};
    return cmocka_run_group_tests_name(
        "key files that are refused, and others", tests, make_keys, forget_keys);
}
