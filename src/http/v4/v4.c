#include "http/v4/v4.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/v4/state.h"
#include "http/v4/usersig.h"

#define VOUCHED_US USEC_PER_SEC
#define ADMINS_MAX 16
#define KNOWN 64
#define DIGEST_BYTES 32
#define FILES 64

struct admin {
    struct text name;
    int64_t made_at_us; /* of the oldest signature that the database was asked about … */
    int64_t asked_us;   /* … and when (monotonic) */
};

/* A signature that was found good: verifying takes five times as long as finding it again. */
struct known {
    unsigned char digest[DIGEST_BYTES]; /* SHA-256 of its text */
    struct text identifier;             /* one of the administrators */
    int64_t made_at_s;
    int64_t expires_in_s;
};

/* A file of get_history: to learn this of it the whole file is made. */
struct file_known {
    char archive[2 * DIGEST_BYTES + 1];
    struct history_facts facts;
};

struct v4 {
    const struct settings *settings;
    struct text key;
    pthread_mutex_t mutex; /* of what follows, except the administrators' names */
    struct admin admins[ADMINS_MAX];
    size_t n_admins;
    struct known known[KNOWN]; /* by the first byte of the digest */
    struct file_known files[FILES];
    size_t n_files; /* ever: each takes the place of the oldest */
};

/* ---- life ---- */

/* False: there are too many. */
static bool name_admins(struct v4 *v4, struct text names)
{
    while (text_present(names)) {
        if (v4->n_admins == ADMINS_MAX)
            return false;
        v4->admins[v4->n_admins++].name = text_trim(text_cut(&names, ','));
    }
    return true;
}

int v4_new(const struct settings *borrows, struct v4 **ret, char *why, size_t why_size)
{
    struct v4 *v4 = mem_alloc(sizeof(*v4));

    v4->settings = borrows;
    v4->key = text_trim(text_of(borrows->v4_key));
    pthread_mutex_init(&v4->mutex, NULL);
    *ret = v4;
    if (!name_admins(v4, text_of(borrows->v4_admins))) {
        snprintf(why, why_size, "DUET_V4_ADMINS may have at most %d names.", ADMINS_MAX);
        return -1;
    }
    if ((borrows->v4_app_id == 0) == (v4->key.len == 0))
        return 0;
    snprintf(
        why, why_size, "DUET_V4_APP_ID and DUET_V4_KEY_FILE must both be set for /v4, or neither.");
    return -1;
}

void v4_free(struct v4 *v4)
{
    if (!v4)
        return;
    pthread_mutex_destroy(&v4->mutex);
    free(v4);
}

struct text v4_key(const struct v4 *v4)
{
    return v4->key;
}

bool v4_claims(struct text target)
{
    return text_starts_with(target, TEXT("/v4/")) && !text_starts_with(target, TEXT("/v4/files/"));
}

/* ---- files ---- */

bool v4_known_file(struct v4 *v4, struct text archive, struct history_facts *ret)
{
    bool known = false;

    pthread_mutex_lock(&v4->mutex);
    for (size_t i = 0; i < FILES && !known; i++) {
        known = text_equal(text_of(v4->files[i].archive), archive);
        if (known)
            *ret = v4->files[i].facts;
    }
    pthread_mutex_unlock(&v4->mutex);
    return known;
}

void v4_keep_file(struct v4 *v4, struct text archive, const struct history_facts *facts)
{
    pthread_mutex_lock(&v4->mutex);
    struct file_known *file = &v4->files[v4->n_files++ % FILES];
    snprintf(file->archive, sizeof(file->archive), "%.*s", TEXT_ARG(archive));
    file->facts = *facts;
    pthread_mutex_unlock(&v4->mutex);
}

/* ---- who asks ---- */

static struct admin *find_admin(struct v4 *v4, struct text name)
{
    for (size_t i = 0; i < v4->n_admins; i++)
        if (text_equal(v4->admins[i].name, name))
            return &v4->admins[i];
    return NULL;
}

bool v4_is_vouched(struct v4 *v4, const struct caller *caller)
{
    struct admin *admin = find_admin(v4, caller->subject);

    pthread_mutex_lock(&v4->mutex);
    bool vouched = admin && admin->asked_us && caller->issued_at_us >= admin->made_at_us &&
                   clock_mono_us() - admin->asked_us < VOUCHED_US;
    pthread_mutex_unlock(&v4->mutex);
    return vouched;
}

void v4_vouch(struct v4 *v4, const struct caller *caller)
{
    struct admin *admin = find_admin(v4, caller->subject);

    pthread_mutex_lock(&v4->mutex);
    if (admin) {
        admin->made_at_us = caller->issued_at_us;
        admin->asked_us = clock_mono_us();
    }
    pthread_mutex_unlock(&v4->mutex);
}

void v4_forget(struct v4 *v4, struct text identifier)
{
    struct admin *admin = find_admin(v4, identifier);

    pthread_mutex_lock(&v4->mutex);
    if (admin)
        admin->asked_us = 0;
    pthread_mutex_unlock(&v4->mutex);
}

static struct text query_param(const struct match *match, const char *name)
{
    for (size_t i = 0; i < match->n_query; i++)
        if (text_equal(match->query[i].name, text_of(name)))
            return match->query[i].value;
    return TEXT_ABSENT;
}

static int refuse(struct err *err, int number, const char *why)
{
    err_set(err, v4_code(number), "%s", why);
    err->number = number;
    return -1;
}

static bool is_listed(const char *list, struct text address)
{
    struct text rest = text_of(list);

    if (rest.len == 0)
        return true;
    while (text_present(rest))
        if (text_equal(text_trim(text_cut(&rest, ',')), address))
            return true;
    return false;
}

static int check_app(const struct v4 *v4, const struct match *match, struct err *err)
{
    int64_t app_id = 0;
    struct text given = query_param(match, "sdkappid");

    if (v4->settings->v4_app_id == 0)
        return refuse(err, 60016, "/v4 is off: DUET_V4_APP_ID and DUET_V4_KEY_FILE are not set");
    if (given.len == 0)
        return refuse(err, 60012, "the query has no sdkappid");
    if (!text_to_i64(given, &app_id) || app_id != v4->settings->v4_app_id)
        return refuse(err, 60006, "sdkappid is not one this server knows");
    return 0;
}

static struct known *place_of(struct v4 *v4, const unsigned char digest[DIGEST_BYTES])
{
    return &v4->known[digest[0] % KNOWN];
}

static bool is_known(
    struct v4 *v4, const unsigned char digest[DIGEST_BYTES], int64_t now_s, struct usersig *ret)
{
    pthread_mutex_lock(&v4->mutex);
    const struct known *known = place_of(v4, digest);
    bool found = text_present(known->identifier) &&
                 memcmp(known->digest, digest, DIGEST_BYTES) == 0 &&
                 now_s <= known->made_at_s + known->expires_in_s;
    *ret = (struct usersig){
        known->identifier, v4->settings->v4_app_id, known->made_at_s, known->expires_in_s};
    pthread_mutex_unlock(&v4->mutex);
    return found;
}

static void remember(
    struct v4 *v4,
    const unsigned char digest[DIGEST_BYTES],
    const struct admin *admin,
    const struct usersig *usersig)
{
    pthread_mutex_lock(&v4->mutex);
    struct known *known = place_of(v4, digest);
    memcpy(known->digest, digest, DIGEST_BYTES);
    known->identifier = admin->name;
    known->made_at_s = usersig->made_at_s;
    known->expires_in_s = usersig->expires_in_s;
    pthread_mutex_unlock(&v4->mutex);
}

static int verify(
    struct v4 *v4, struct text text, int64_t now_s, struct arena *arena, struct usersig *ret)
{
    unsigned char digest[DIGEST_BYTES];

    EVP_Digest(text.ptr, text.len, digest, NULL, EVP_sha256(), NULL);
    if (is_known(v4, digest, now_s, ret))
        return 0;
    int wrong = usersig_verify(text, v4->key, now_s, arena, ret);
    const struct admin *admin = wrong == 0 ? find_admin(v4, ret->identifier) : NULL;
    if (admin && ret->app_id == v4->settings->v4_app_id)
        remember(v4, digest, admin, ret);
    return wrong;
}

static int check_signature(
    struct v4 *v4,
    const struct match *match,
    struct arena *arena,
    struct usersig *ret,
    struct err *err)
{
    struct text given = query_param(match, "usersig");
    int wrong = verify(
        v4, text_present(given) ? given : TEXT(""), clock_now_us() / USEC_PER_SEC, arena, ret);

    if (wrong == 0 && !text_equal(ret->identifier, query_param(match, "identifier")))
        wrong = 70013;
    if (wrong == 0 && ret->app_id != v4->settings->v4_app_id)
        wrong = 70014;
    if (wrong == 0)
        return 0;
    log_event(LOG_INFO, "usersig_refused", LOG_INT("number", wrong));
    return refuse(err, wrong, "the usersig is not good");
}

int v4_authenticate(
    struct v4 *v4,
    const struct match *match,
    struct text address,
    struct arena *arena,
    struct caller *ret,
    struct err *err)
{
    struct usersig usersig = {0};

    if (match->route->operation == &v4_file)
        return 0; /* the link itself is signed */
    if (check_app(v4, match, err) != 0)
        return -1;
    if (!is_listed(v4->settings->v4_addresses, address))
        return refuse(err, 60021, "the caller's address is not on the list");
    if (check_signature(v4, match, arena, &usersig, err) != 0)
        return -1;
    if (!find_admin(v4, usersig.identifier))
        return refuse(err, 60010, "the identifier is no administrator");
    *ret = (struct caller){
        .subject = usersig.identifier,
        .key_id = TEXT("usersig"),
        .scopes = 1u << SCOPE_ADMIN,
        .issued_at_us = usersig.made_at_s * USEC_PER_SEC,
        .expires_at_us = (usersig.made_at_s + usersig.expires_in_s) * USEC_PER_SEC,
        .revocable = true,
    };
    return 0;
}

/* ---- errors ---- */

char *v4_error_body(const struct err *err)
{
    int number = err->number ? err->number : v4_number(V4_FRONT, err->code);
    struct buf b = BUF(4096);
    const char *info = err->detail ? err->detail : err_info(err->code)->title;

    buf_text(&b, TEXT("{\"ActionStatus\":\"FAIL\",\"ErrorInfo\":"));
    if (err->fields)
        info = err->fields->detail;
    json_write_text(&b, text_of(info));
    buf_printf(&b, ",\"ErrorCode\":%d,\"ErrorDisplay\":\"\"}", number);
    buf_char(&b, '\0');
    return b.ptr;
}
