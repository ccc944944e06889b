/* One request of /v4: a command at work.
 *
 * A command is a table of its members, a table of its answer's, and a function that begins. That
 * function asks an operation of /v1 for something (v4_ask) and says who takes the result; whoever
 * takes it asks for the next thing, or leaves the answer (v4_answer). A step that fails ends the
 * command with the number that its service has for that error, unless `takes_errors` was set.
 *
 * Steps run one after the other, each on whatever thread its operation runs on: nothing of a call
 * is ever touched by two threads at once. */
#pragma once

#include <stdatomic.h>

#include <jansson.h>

#include "base/op.h"
#include "http/v4/errors.h"

/* ---- members ---- */

enum v4_kind {
    V4_END = 0,
    V4_TEXT,
    V4_INT,
    V4_NUMBER,
    V4_TEXTS, /* array of texts */
    V4_OBJECT,
    V4_LIST, /* array of objects */
    V4_MAP,  /* object whose names are the client's */
    V4_BODY, /* array of message elements */
    V4_ANY,
};

/* A member of a request or an answer. In requests null, and "" or [] where the kind is another, are
 * the same as nothing; members that stand in no table are passed over. */
struct v4_field {
    const char *name;
    const char *also; /* another name that SDKs use */
    enum v4_kind kind;
    bool required;
    int code;                  /* ErrorCode when it is missing or of another kind */
    int64_t min, max;          /* TEXT: bytes; TEXTS, LIST: members; INT: value; max 0: any */
    int limit_code;            /* ErrorCode beyond them; 0: `code` */
    bool text_too;             /* INT: digits in a text will do */
    const struct v4_field *of; /* OBJECT, LIST */
};

#define V4_USER_BYTES 64
#define V4_LAST                                                                                    \
    {                                                                                              \
        .kind = V4_END                                                                             \
    }

/* Of a request or an answer without members. */
extern const struct v4_field v4_nothing[];

/* ---- commands ---- */

struct v4_call;
typedef void v4_next(struct v4_call *c);

struct v4_work {
    const struct v4_field *in;
    const struct v4_field *out;
    v4_next *begin;
};

struct v4_command {
    const char *service;
    const char *name;
    enum v4_family family;
    const char *operations; /* of /v1 that it calls, with blanks between them */
    const struct v4_work *work;
};

extern const struct v4_command v4_commands[];
extern const size_t v4_n_commands;

/* What an operation is asked for: its path, query and body, as a request of /v1 has them. */
struct v4_ask {
    struct param path[3];
    struct param query[8];
    json_t *body; /* taken */
    struct text idempotency_key;
    bool named_by_key; /* as in struct op */
    bool only_replay;  /* c->step.replayed tells whether there was an answer to the key */
    struct text if_match;
    struct text as_user; /* what this user wants, not the administrator: wishes of others bind it */
    bool takes_errors;
};

#define V4_PARAM(name, value)                                                                      \
    {                                                                                              \
        TEXT(name), value                                                                          \
    }

/* Asks an operation for something for each member of an array, in order. `ask` fills in what for
 * (no path, query or body: nothing is asked for that member, and `take` is not called). */
struct v4_each {
    const json_t *items; /* borrowed */
    const struct operation *operation;
    void (*ask)(struct v4_call *c, const json_t *item, struct v4_ask *ret);
    void (*take)(struct v4_call *c, const json_t *item);
    /* Where the first went well, a second operation is asked before `take`; it may pass as well. */
    const struct operation *then;
    void (*then_ask)(struct v4_call *c, const json_t *item, struct v4_ask *ret);
    v4_next *done;
    size_t i;
};

/* Pages of a list of /v1 up to its end, as one array in c->listed. */
struct v4_listing {
    const struct operation *operation;
    struct text user;
    v4_next *done;
};

struct v4_call {
    struct op *op; /* that of the request */
    const struct v4_command *command;
    const json_t *request; /* checked by the table */
    struct text host;      /* by which the client knows the server */
    json_t *answer;        /* the members beside those of the envelope */
    const char *info;      /* ErrorInfo of a success; NULL: "" */
    const char *status;    /* ActionStatus where it is neither OK nor FAIL */
    void *state;           /* the command's own */

    /* The step: what was asked, and what came of it. */
    struct op step;
    struct err step_err; /* code ERR_NONE: it went well */
    struct arena *piece; /* of v4_more */
    json_t *step_reply;  /* as /v1 would answer; see v4_reply */

    bool pending;
    bool failed;
    bool takes_errors;
    v4_next *next;
    struct v4_each each;
    struct v4_listing listing;
    json_t *listed;
    atomic_int turn;
};

/* Only the last thing a function does. `next` may look at c->step_err when `takes_errors` is set;
 * NULL: nothing is left to do. */
void v4_ask(
    struct v4_call *c, const struct operation *operation, const struct v4_ask *ask, v4_next *next);
/* The step again, where its operation gives its reply in pieces: op->raw until the next one. Each
 * has the time of a request. */
void v4_more(struct v4_call *c, v4_next *next);
void v4_for_each(struct v4_call *c, const struct v4_each *each);
void v4_list_all(struct v4_call *c, const struct v4_listing *listing);

/* The reply of the step, borrowed until the next one; NULL when it has none. */
const json_t *v4_reply(struct v4_call *c);
/* A member of it without a tree being built: the slot of the operation's `out`. */
const void *v4_out(const struct v4_call *c, const char *name);

/* Ends the command; `number` is an ErrorCode. */
void v4_fail(struct v4_call *c, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the error of the step. */
void v4_fail_step(struct v4_call *c);
/* The number that the command's service has for what the step met. */
int v4_step_number(const struct v4_call *c);

/* Gives the reference to the call, which drops it at its end. */
json_t *v4_owned(struct v4_call *c, json_t *takes);

/* Adds a member to the answer. */
void v4_answer(struct v4_call *c, const char *name, json_t *takes);

/* Of `{To_Account, ResultCode, ResultInfo}` lists: adds an entry, and the name to Fail_Account
 * where `number` is not 0. Returns the entry, borrowed. */
json_t *v4_result(struct v4_call *c, const char *list, const char *user, int number);

/* ---- reading a request that was checked ---- */

bool v4_check(struct v4_call *c, const struct v4_field *fields, const json_t *object);
/* NULL where there is none, also for null; looks for the other name too. */
const json_t *v4_member(const json_t *object, const struct v4_field *field);
const json_t *v4_get(const struct v4_call *c, const char *name);
/* Absent where it is missing or empty. */
struct text v4_text(const struct v4_call *c, const char *name);
struct text v4_text_in(const json_t *object, const char *name);
int64_t v4_int(const struct v4_call *c, const char *name, int64_t fallback);
json_t *v4_json_text(struct text t);
/* Whether there could be an account of this name. One that could not be is unknown, as others are,
 * and must not be asked about: /v1 would refuse all that it is among. */
bool v4_is_user(struct text name);
struct text v4_text_of(const json_t *json);
