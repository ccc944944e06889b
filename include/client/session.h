/* What a handle is made of, and its network thread.
 *
 * The thread alone touches the session: it logs in, follows the stream of the mailbox, hands on
 * what comes, and sends the outbox. Other threads see the members above the mutex, which do not
 * change, those behind it, and the store, which locks by itself. No lock is held while something is
 * asked or told. */
#pragma once

#include <pthread.h>

#include "client/backoff.h"
#include "client/http.h"
#include "client/sse.h"
#include "client/store.h"

#define SENDS_AT_ONCE 4 /* to as many peers */

enum stage {
    STAGE_WAITING,     /* until `session.next_us` */
    STAGE_LOGIN,       /* the device is being announced */
    STAGE_CATCHING_UP, /* the stream is open and tells what was missed */
    STAGE_FOLLOWING,
    STAGE_SIGNED_OUT, /* the token or the login was refused: until there is another token */
    STAGE_ENDED,      /* kicked */
};

/* An exchange that the network thread has begun. */
struct transfer {
    struct exchange x;
    bool busy;
    void (*done)(struct duet *d, struct transfer *t, struct answer *answer);
    int64_t token_no;
    struct outbox_row row; /* of a send; its texts are in the arena */
    struct arena *arena;
};

struct session {
    enum stage stage;
    int64_t next_us; /* monotonic */
    struct backoff backoff;
    bool logged_in;        /* the server knows the device */
    bool refreshed;        /* on_refresh was called */
    bool fresh;            /* logged in since the last time that all was caught up with */
    size_t n_opened;       /* streams */
    int64_t refused_token; /* its number, in STAGE_SIGNED_OUT */
    int64_t opened_at;     /* where the stream was asked to begin */
    int64_t repaired_at;   /* where the stream was opened anew for a gap; -1: nowhere */

    struct sse sse;
    struct transfer stream;
    struct transfer request; /* login, recent contacts */

    struct transfer report; /* of the position */
    int64_t reported;
    int64_t report_us; /* when it is due; 0: there is nothing to tell */

    struct transfer sends[SENDS_AT_ONCE];
    int64_t send_us; /* not before */
    struct backoff send_backoff;
};

struct duet {
    struct http http;
    struct arena *fixed; /* the texts that do not change */
    const char *user;
    const char *device;
    const char *platform;
    struct duet_callbacks callbacks;
    void *app;
    struct store *store;
    CURLM *multi; /* the thread's, but for curl_multi_wakeup */
    pthread_t thread;

    pthread_mutex_t mutex; /* guards what follows, down to the session */
    char *token;
    int64_t token_no; /* grows with each one */
    bool stopping;
    enum duet_error ended;           /* DUET_KICKED when nothing is asked any more */
    char refusal[DUET_REFUSAL_SIZE]; /* of the last login; empty: it was not refused */
    struct exchange spare;           /* of calls that ask; its connection stays open */

    struct session session; /* the thread's own */
};

/* The network thread; `d` is a struct duet. */
void *session_run(void *d);

/* Begins a request of the thread's. */
void session_start(
    struct duet *d,
    struct transfer *t,
    const struct http_request *request,
    void (*done)(struct duet *d, struct transfer *t, struct answer *answer));

/* Gives the connection up, for now or (DUET_UNAUTHENTICATED) until there is another token. */
void session_lose(struct duet *d, enum duet_error why, int64_t retry_after_us);

void outbox_step(struct duet *d, int64_t now_us);

/* A copy of the token; the caller frees it. `ret_no` may be NULL. */
char *duet_token(struct duet *d, int64_t *ret_no);

/* "/v1/users/{user}", and what follows. */
void path_of_user(struct duet *d, struct buf *ret);

/* Asks, and waits for the answer. `body` is freed; NULL: none. */
struct answer duet_ask(struct duet *d, const char *method, const struct buf *path, json_t *body);

uint32_t random_bits(void);
