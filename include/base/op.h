/* An operation: one thing the server does, known by one name from the OpenAPI file to SQL. */
#pragma once

#include <stdbool.h>

#include "base/caller.h"
#include "base/err.h"
#include "base/fields.h"

struct op;
struct services;
struct watch;

/* What `run` returns of an operation on LANE_READER that waits for something else: it is another's
 * by now, and done is called later, or it is put in line again. */
#define OP_WAITS 1

/* Where `run` runs. */
enum lane {
    LANE_HTTP,   /* at once, on the HTTP thread: touches no database and never blocks */
    LANE_READER, /* on a reader thread, with a database connection */
    LANE_SENDER, /* in a batch of sends: `run` puts it in line, `op->done` is called later */
    LANE_CHAIN,  /* `run` starts other operations, one after the other; `op->done` is called at the
                  * end of the last */
};

struct operation {
    const char *name;
    enum lane lane;
    /* The rules that need no database; runs on the HTTP thread, on input that is decoded and within
     * its limits, or with what is wrong absent, also where it is required: then it names what it
     * finds besides. May be NULL. */
    int (*check)(struct op *op);
    /* Fills op->in instead of the table `in`. */
    int (*decode)(struct op *op, const struct field_source *source, struct text body);
    /* NULL on LANE_READER: the SQL function of the same name is called. */
    int (*run)(struct op *op);
    struct fields in;
    /* The members of the body go to SQL as one object, p_patch: what is absent there stays as it
     * is, what is null goes back to its default (RFC 7396). */
    bool merge_patch;
    /* On LANE_READER: the call leaves a row in the audit, in the same transaction. */
    bool audit;
    struct fields out; /* empty: the reply has no JSON body */
    /* What is wrong with the one field that the SQL function may call invalid_request. */
    const char *invalid;
    const enum err_code *refuses; /* ERR_NONE at the end; what any request may meet is not listed */
    const char *location; /* of what a 201 has made: "/v1/users/{id}", filled from `out`; or NULL */
    const char *content_type; /* of op->raw, where the reply is not JSON */
    /* On LANE_READER: the reply may be of any length. `run` gives a piece of it in op->raw, and is
     * called again when the client has taken that, as long as it sets op->more. Each piece has an
     * arena of its own; that of the piece before is there until `run` has ended. */
    bool stream;
    /* The client may ask for a stream of events: then op->watch is set, and `run` opens it. op->raw
     * are the first of them, op->more says that `run` is to be called again for more, before the
     * watch is parked. The records of the LIST in `out` are the events. */
    bool follows;
    /* With `stream`: the bytes of the reply stay the same, and are known beforehand. The first call
     * of `run` gives no piece but op->file, so that a part can be asked for (RFC 9110, 14). */
    bool file;
};

enum coding { CODING_IDENTITY, CODING_GZIP, CODINGS };

struct representation {
    int64_t size;       /* bytes */
    struct text etag;   /* quoted; it names these very bytes */
    struct text digest; /* as Repr-Digest has it (RFC 9530) */
};

struct file {
    struct representation as[CODINGS];
    /* What is asked for, put in behind the first call. */
    enum coding coding;
    int64_t position; /* of the next piece's first byte; `run` moves it on */
    int64_t end;      /* behind the last byte; 0: nothing is asked for yet */
};

/* A body that is part of the program. */
struct document {
    struct text plain, gzip;
};

/* A member of the input of each operation that makes something anew when it is repeated. */
#define FIELD_IDEMPOTENCY_KEY(type)                                                                \
    FIELD_TEXT(                                                                                    \
        type, idempotency_key, .from = IN_HEADER, .header = "Idempotency-Key", .min = 1,           \
        .max = 64, .visible_ascii = true, .not_column = true)

/* A member of the input of an operation that can be tried: the call is made, and undone. */
#define FIELD_VALIDATE_ONLY(type)                                                                  \
    FIELD_BOOL(type, validate_only, .from = IN_QUERY, .not_column = true, .has_fallback = true)

struct op {
    const struct operation *operation;
    struct services *services; /* borrowed: what the server is made of */
    struct arena *arena;       /* owns what belongs to this request */
    struct err *err;
    struct caller caller;
    struct text request_id;
    struct text resource; /* the path as it was asked for */
    struct text address;  /* of the client */
    int client_fd;        /* its socket, borrowed, to see whether it is still there; 0: unknown */
    void *in;             /* of operation->in.size */
    void *out;            /* of operation->out.size; zeroed before run */
    json_t *body;         /* the request, as it came; NULL when it had none */
    bool inner;           /* the server asks on a client's behalf, as /v4 does */

    struct text stored_reply;        /* JSON: the answer that this request was given before */
    struct text raw;                 /* the body, where operation->content_type is set */
    const struct document *document; /* the body instead of `raw`; or NULL */
    bool more;                       /* operation->stream: there is another piece behind this one */
    const char *command; /* which of its many things the operation does here, for the log */
    struct file file;    /* operation->file */
    struct text etag;    /* quoted, of a resource that has versions; absent: the body tells */
    bool found;          /* nothing new was made: 200 instead of 201 */
    bool named_by_key;   /* what has its key is the same request, whatever else it says */
    bool only_replay;    /* without an answer given before to its key, nothing is to be done */
    bool replayed;       /* the answer is that of an earlier request */

    int64_t deadline_us; /* monotonic; after it the request is refused, not begun */
    int64_t database_us; /* how long the database worked on it */
    size_t index;        /* the operation's place in the route table */
    const void *call;    /* LANE_READER: the SQL call, a struct call */
    void *db;            /* LANE_READER: the thread's connection, a struct db */
    void *db_error; /* LANE_READER: within a transaction, where a call leaves its struct db_error */
    struct watch *watch; /* operation->follows: the stream that is asked for; NULL: none is */
    void *kept;          /* of `run`, for when it is called again */
    struct op *next;     /* of the line it stands in */

    void (*done)(struct op *op, int result); /* called exactly once, from any thread */
    void *owner;                             /* of `done` */
};
