/* What an exchange is made of, for the two files that work on it: exchange.c takes the request and
 * runs its operation, answer.c makes the reply. */
#pragma once

#include <microhttpd.h>

#include "base/op.h"
#include "http/gate.h"
#include "http/rate_limit.h"
#include "http/router.h"
#include "http/server.h"
#include "http/streams.h"

enum stage {
    STAGE_HEAD,      /* libmicrohttpd has the head; nothing was looked at */
    STAGE_BODY,      /* the head was allowed; the body, if any, is arriving */
    STAGE_SUSPENDED, /* the operation owns the exchange */
    STAGE_DONE,      /* the operation has ended: `result` and `op` are to be answered */
    STAGE_ANSWERED,  /* the reply is going out; a streamed one goes back to STAGE_SUSPENDED for each
                      * piece, and to STAGE_DONE when that is there */
};

struct exchange {
    struct server *server;
    struct loop *loop; /* whose thread the exchange belongs to while it is not suspended */
    struct loop_return back;
    struct MHD_Connection *connection;
    struct connection *watched;
    struct arena *arena;
    struct text target;
    const char *method;
    int64_t begun_us;
    enum stage stage;
    bool counted; /* in metrics.in_flight */

    struct gate gate;
    struct match match;
    struct err err;
    struct rate_state rate; /* of the caller */
    struct text request_id;

    struct buf body;
    size_t n_body_bytes; /* arrived, kept or not */
    json_t *json;

    struct op op;
    int result;
    const char *content_range; /* of the reply; or NULL */

    /* Of a streamed reply: memory of the piece that the client is taking, and, while the next one
     * is made there, of the one before. */
    struct arena *piece;
    struct arena *last_piece;
    size_t n_taken; /* bytes of op.raw */

    /* Of a stream of events: when it has been opened it takes the socket, and at the end of this
     * exchange its arena. */
    bool may_follow; /* the client understands chunks */
    struct stream *events;
    struct text events_head; /* present: it has the socket */
};

/* NULL: the request was refused before its route was known. */
static inline const struct operation *exchange_operation(const struct exchange *e)
{
    return e->match.route ? e->match.route->operation : NULL;
}

/* Gives the exchange to its operation's thread, which resumes it. */
void exchange_hand_over(struct exchange *e);

/* From the HTTP thread, when it has been resumed. */
void exchange_take_back(struct exchange *e);

/* It ends without an answer: the client has gone, or was cut off. */
void exchange_note_unanswered(const struct exchange *e);

/* Queues the reply that `result` and `op` make. */
enum MHD_Result exchange_answer(struct exchange *e);
/* Queues what e->err says. `close`: the rest of what the client sends is not to be looked at. */
enum MHD_Result exchange_answer_error(struct exchange *e, bool close);
/* Makes ready for the operation's next call, of a reply that is made in pieces. */
void exchange_begin_piece(struct exchange *e);
