/* libduet: a device's side of Duet, in C.
 *
 * One `struct duet` is one device of one user at one server. It follows the user's mailbox, keeps
 * what it learns in a local store (one SQLite file), and sends what it is given until the server
 * has answered. Being offline is no error: what is in the store can be read, what is sent waits.
 *
 * THREADS. Each handle has one network thread of its own, in which no signal is handled. All
 * callbacks are called from it, one at a time; while one runs nothing is received and nothing is
 * sent. Every call may be made from any
 * thread, also from several at once and from callbacks, with one exception: duet_logout, which
 * waits for that thread, and after which no call may be under way or be made. No callback is called
 * before duet_login has set *ret or after duet_logout has returned.
 *
 * WAITING. Calls that the description marks with [asks] send a request and wait for its answer, for
 * as long as `timeout_ms` of the options says. The others look at the store alone and do not wait
 * for the network.
 *
 * OWNERSHIP. What a call is given it copies. What a callback is given belongs to the library and is
 * good until the callback returns. What a call returns through `ret` belongs to the caller: a list
 * is given back by its _free function, which takes NULL; `*ret` is set on DUET_OK only. Strings end
 * in NUL, are UTF-8 and never NULL unless it says so.
 *
 * ERRORS. Every call that can fail returns an enum duet_error; duet_error_text tells it in words.
 * Where a call has failed it has changed nothing, except after DUET_UNREACHABLE, DUET_BUSY and
 * DUET_PROTOCOL of an [asks] call that changes something: then it may have been done all the same,
 * and may be repeated without harm. Memory that cannot be had ends the process, as in GLib.
 *
 * TIMES are milliseconds since 1970 in UTC; 0 stands for none.
 *
 * RESTARTS. How far the mailbox is read is stored in one transaction with what was read. So
 * on_new_message and on_event are never called twice for an entry of the mailbox, whatever happens
 * to process or network. The price: of a process that dies between that transaction and the end of
 * its callback, one entry is in the store without having been told. Whoever starts shows what
 * duet_get_messages has, then adds what the callbacks bring. (After a loss of power, the last
 * entries may be told again.) */
#ifndef DUET_H
#define DUET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DUET_API __attribute__((visibility("default")))
#else
#define DUET_API
#endif

enum duet_error {
    DUET_OK,
    /* of the caller */
    DUET_INVALID,   /* an argument, or the request as the server sees it, is wrong */
    DUET_TOO_LARGE, /* a message, or a text in it, is longer than is allowed */
    /* of the way to the server: worth trying again */
    DUET_UNREACHABLE, /* no connection, or no answer in time */
    DUET_BUSY,        /* the server is overloaded, or cannot reach its database */
    DUET_PROTOCOL,    /* what answered does not speak as Duet does */
    /* of the session */
    DUET_UNAUTHENTICATED, /* the token is missing, wrong or expired: see duet_set_token */
    DUET_KICKED,          /* the session was ended from elsewhere */
    /* refusals: the server has decided */
    DUET_BLOCKED,     /* the receiver has blocked the user */
    DUET_NOT_FRIENDS, /* only friends may write to each other */
    DUET_MUTED,       /* the user may not send for now */
    DUET_UNKNOWN,     /* there is no such user, message or request */
    DUET_TOO_LATE,    /* the message is too old for this */
    DUET_REFUSED,     /* any other refusal */
    /* of the store */
    DUET_STORE,        /* the file cannot be opened, read or written */
    DUET_STORE_IN_USE, /* another process, or another handle, has the file open */
    DUET_STORE_OTHER,  /* the file belongs to another user or device, or to a newer libduet */
};

/* One short sentence, never NULL; static. */
DUET_API const char *duet_error_text(enum duet_error error);

/* "0.1.0"; static. */
DUET_API const char *duet_version(void);

struct duet;

/* ---- messages ---- */

enum duet_message_state {
    DUET_SENDING,  /* in the outbox, not answered yet; `id` is empty */
    DUET_SENT,     /* in the mailboxes of both users */
    DUET_RECALLED, /* taken back by whoever sent it: nothing of what it said is left */
};

struct duet_message {
    const char *id; /* opaque; names the message everywhere */
    const char *peer;
    bool outgoing;    /* from the user to the peer, by whichever of the user's devices */
    const char *from; /* empty where the user was deleted; so is `to` */
    const char *to;
    const char *kind;          /* "chat", "system", "custom_system" */
    const char *text;          /* of the first text element; NULL where there is none */
    const char *elements_json; /* all elements, a JSON array as docs of the API describe it */
    const char *custom_data;   /* NULL: none */
    const char *sender_nick;
    const char *client_id; /* of messages in the outbox; else empty */
    int64_t sent_at; /* by the server's clock; of DUET_SENDING: when it was given to duet_send */
    int64_t edited_at;
    enum duet_message_state state;
};

struct duet_messages {
    const struct duet_message *items;
    size_t n;
    bool complete;       /* nothing is missing between any two items, or above the first */
    bool end;            /* there is nothing older than the last item */
    enum duet_error why; /* where it is not complete: what kept the library from asking */
};

/* ---- callbacks ---- */

enum duet_source {
    DUET_OFFLINE, /* came while the device was away */
    DUET_ONLINE,  /* came just now */
    DUET_RECENT,  /* the last message of a recent contact, told once after each login, known or not
                   */
};

enum duet_connection {
    DUET_CONNECTING,
    DUET_CONNECTED,    /* following the mailbox */
    DUET_DISCONNECTED, /* will be tried again by itself */
    DUET_SIGNED_OUT,   /* the token is no longer accepted, or the login was refused for good (it is
                        * another user's, the device's name is none, the user is unknown, …):
                        * nothing happens until duet_set_token */
};

enum duet_event_kind {
    /* the outbox's answers; `client_id` says to what */
    DUET_EVENT_SENT,         /* `message` is what became of it */
    DUET_EVENT_SEND_REFUSED, /* `error` says why; it has left the outbox */
    /* the mailbox's entries that are no new messages */
    DUET_EVENT_MESSAGE_EDITED,
    DUET_EVENT_MESSAGE_RECALLED,
    DUET_EVENT_MESSAGE_DELETED, /* from this user's side */
    DUET_EVENT_READ,            /* the user has read `peer` up to `up_to`, on whichever device */
    DUET_EVENT_PEER_READ,       /* `peer` has read the user's messages up to `up_to` */
    DUET_EVENT_OTHER,           /* see `name` */
};

struct duet_event {
    enum duet_event_kind kind;
    const char *name; /* the server's word: "peer_read", "friend_added", "block_removed", … */
    int64_t seq;      /* in the mailbox; 0 for those of the outbox */
    int64_t at;
    int64_t up_to;
    const char *peer;                   /* empty where it is about nobody else */
    const char *message_id;             /* empty where it is about no message */
    const struct duet_message *message; /* NULL where it cannot be shown (any more) */
    const char *client_id;
    const char *details_json; /* what else the entry says: a JSON object, or NULL */
    enum duet_error error;
};

/* Each may be NULL. `user` is what duet_login was given. */
struct duet_callbacks {
    /* In the order of the mailbox, each message once (and once more as DUET_RECENT). The user's own
     * messages come too, outgoing, from all devices: a message that was given to duet_send has
     * arrived when it comes here. */
    void (*on_new_message)(void *user, const struct duet_message *message, enum duet_source source);
    /* Once after each duet_login: offline messages and recent contacts are there. */
    void (*on_refresh)(void *user);
    void (*on_event)(void *user, const struct duet_event *event);
    /* The session was ended from elsewhere, by an operator or by a login of another device. The
     * handle does nothing more on the network; reading the store works until duet_logout. `reason`
     * is the server's word: "kicked", "policy" where another device has logged in, or "logged_out"
     * where this one was removed. A session that was ended while the device was away shows as
     * DUET_SIGNED_OUT: its token is refused. */
    void (*on_kicked)(void *user, const char *reason);
    /* `why` is DUET_OK unless the state is DUET_DISCONNECTED or DUET_SIGNED_OUT. */
    void (*on_connection)(void *user, enum duet_connection state, enum duet_error why);
};

/* ---- a session ---- */

struct duet_options {
    const char *server;   /* "https://chat.example"; a path in front of /v1 may follow */
    const char *user;     /* the user's id, at most 64 bytes */
    const char *device;   /* names this device among the user's; at most 64 bytes, kept for good */
    const char *platform; /* "ios", "android", "windows", "mac", "linux", "web", "ipad", "other" */
    const char *token;    /* the user's token, from your back end */
    const char *path; /* of the store's file; ":memory:" for one that ends with the process. A file
                       * belongs to one device of one user at one server */
    const char *ca_file; /* PEM; NULL for the system's certificate authorities */
    int timeout_ms;      /* for one request; 0 for 30 000 */
};

/* Opens the store and starts the network thread; does not wait for the server. */
DUET_API enum duet_error duet_login(
    const struct duet_options *options,
    const struct duet_callbacks *callbacks,
    void *user,
    struct duet **ret);

/* Puts another token in place of the present one, and tries at once where that had been refused.
 * Give a new one some minutes before the old one expires, or when on_connection says
 * DUET_SIGNED_OUT; the same one again tries a login again that was refused. */
DUET_API enum duet_error duet_set_token(struct duet *d, const char *token);

/* Why the server has refused the last login, in its own words, for people to read; empty where it
 * has not. Programs go by `why` of on_connection. */
#define DUET_REFUSAL_SIZE 256 /* bytes, with the NUL at the end */
DUET_API enum duet_error duet_refusal(struct duet *d, char ret[DUET_REFUSAL_SIZE]);

/* Ends the connection, waits for the network thread and frees the handle. The store stays, and what
 * waits in the outbox is sent after the next login. DUET_INVALID, and nothing happens, when called
 * from a callback. Takes NULL. */
DUET_API enum duet_error duet_logout(struct duet *d);

/* ---- sending ---- */

#define DUET_CLIENT_ID_SIZE 33 /* bytes, with the NUL at the end */

struct duet_outgoing {
    const char *to;
    const char *text;          /* one text element; or */
    const char *elements_json; /* a JSON array of elements */
    const char *custom_data;   /* NULL: none */
    const char *options_json;  /* `options` of the API, a JSON object; NULL: none */
    const char *push_json;     /* `push` of the API, a JSON object; NULL: none */
};

/* Puts a message into the outbox and returns when it is on disk there. It is sent until the server
 * answers, also after a restart, under one id, so that it is stored once; messages to one peer in
 * the order in which they were given. The answer comes as DUET_EVENT_SENT or
 * DUET_EVENT_SEND_REFUSED. */
DUET_API enum duet_error duet_send(
    struct duet *d, const struct duet_outgoing *message, char ret_client_id[DUET_CLIENT_ID_SIZE]);

/* [asks] Takes a message back, for both users. */
DUET_API enum duet_error duet_recall(struct duet *d, const char *message_id);

/* ---- reading ---- */

/* The newest `limit` (1 to 200) messages with `peer`, newest first: of all, or of those before the
 * message `before` (NULL: all), which must be in the store.
 *
 * Answered from the store. [asks] where the store does not have everything in that stretch: then
 * what is missing is fetched from the server's history first. Where that cannot be done, the answer
 * is still DUET_OK, with what there is down to the gap, `complete` false and `why` set. Without
 * `before` the newest messages of the outbox come first, 100 at most, beyond the limit. One whose
 * answer is still on its way while the mailbox has it already may stand there twice, for a moment.
 */
DUET_API enum duet_error duet_get_messages(
    struct duet *d, const char *peer, const char *before, int limit, struct duet_messages **ret);
DUET_API void duet_messages_free(struct duet_messages *messages);

struct duet_conversation {
    const char *peer;
    const char *nick;
    const char *avatar_url;
    const struct duet_message *last_message; /* NULL: none */
    int unread;                              /* 1000 stands for so many or more */
    int64_t read_up_to;      /* sent_at of the newest message that the user has read */
    int64_t peer_read_up_to; /* the same of the peer */
    bool pinned;
    bool muted; /* the user wants no push for it */
};

struct duet_conversations {
    const struct duet_conversation *items;
    size_t n;
    bool fresh;          /* as the server has it now; else as it was when it was last asked */
    enum duet_error why; /* where it is not: what kept the library from asking */
};

/* [asks] The recent contacts, pinned ones first, then by their newest message. Where the server
 * cannot be asked, those of the store. */
DUET_API enum duet_error duet_conversations(struct duet *d, struct duet_conversations **ret);
DUET_API void duet_conversations_free(struct duet_conversations *conversations);

/* [asks] The user has read what `peer` has sent, up to this message. */
DUET_API enum duet_error duet_mark_read(struct duet *d, const char *peer, const char *message_id);

/* ---- friends and blocks ---- */

struct duet_contact {
    const char *peer;
    const char *nick;
    const char *avatar_url;
    const char *remark; /* what the user calls the friend; empty for others */
    const char *text;   /* of a request; else empty */
    int64_t since;      /* friend, blocked, or asked since */
    bool mutual;        /* of a friend: the user is a friend of the peer too */
};

struct duet_contacts {
    const struct duet_contact *items;
    size_t n;
};

DUET_API void duet_contacts_free(struct duet_contacts *contacts);

/* [asks], all of these. Lists have everything, however long. Doing again what is done already is
 * DUET_OK. */
DUET_API enum duet_error duet_friends(struct duet *d, struct duet_contacts **ret);
/* Where the other's friend policy asks for a request it is DUET_REFUSED: make one. */
DUET_API enum duet_error duet_friend_add(struct duet *d, const char *peer, const char *remark);
DUET_API enum duet_error duet_friend_remove(struct duet *d, const char *peer);
DUET_API enum duet_error duet_friend_request(struct duet *d, const char *peer, const char *text);
/* Those that the user has been sent, or has sent (`outgoing`), and that are not answered. */
DUET_API enum duet_error duet_friend_requests(
    struct duet *d, bool outgoing, struct duet_contacts **ret);
DUET_API enum duet_error duet_friend_accept(struct duet *d, const char *peer);
DUET_API enum duet_error duet_friend_reject(struct duet *d, const char *peer);
DUET_API enum duet_error duet_blocks(struct duet *d, struct duet_contacts **ret);
DUET_API enum duet_error duet_block_add(struct duet *d, const char *peer);
DUET_API enum duet_error duet_block_remove(struct duet *d, const char *peer);

#ifdef __cplusplus
}
#endif

#endif
