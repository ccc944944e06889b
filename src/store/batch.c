#include "store/batch.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/call.h"
#include "store/params.h"
#include "store/rows.h"

/* ---- users' numbers ---- */

static const struct statement user_resolve = {
    .name = "user_resolve",
    .sql = "select user_id, user_no from duet.user_resolve(p_users => $1)",
    .types = (const Oid[]){PG_TEXT_ARRAY},
    .n_types = 1,
};

struct batch {
    struct batcher *batcher;
    struct arena *arena;
    struct send **sends;
    size_t n;
    int64_t *senders; /* numbers; 0: no such user */
    int64_t *receivers;
    bool rehearsal; /* one message, whose storing is undone */
    struct db_error error;
};

static size_t look_up(struct batch *b, struct text *ret_missing)
{
    size_t n_missing = 0;

    for (size_t i = 0; i < b->n; i++) {
        struct users *users = b->batcher->users;
        b->senders[i] = users_find(users, b->sends[i]->from);
        b->receivers[i] = users_find(users, b->sends[i]->to);
        b->sends[i]->from_fresh = !b->senders[i];
        b->sends[i]->to_fresh = !b->receivers[i];
        if (!b->senders[i])
            ret_missing[n_missing++] = b->sends[i]->from;
        if (!b->receivers[i])
            ret_missing[n_missing++] = b->sends[i]->to;
    }
    return n_missing;
}

/* The user's number in the result, 0 when it is not there; the cache learns it. The result is what
 * counts: the cache may have no room for all of a batch. */
static int64_t learn(struct batch *b, const PGresult *result, struct text user_id)
{
    for (int row = 0; row < PQntuples(result); row++) {
        struct text id = {PQgetvalue(result, row, 0), (size_t)PQgetlength(result, row, 0)};
        if (!text_equal(id, user_id))
            continue;
        users_put(b->batcher->users, user_id, row_i64(result, row, 1));
        return row_i64(result, row, 1);
    }
    return 0;
}

/* Most numbers come from the cache; those that do not are asked for together. */
static int resolve_users(struct batch *b)
{
    struct params params;
    struct text *missing = arena_alloc(b->arena, sizeof(*missing) * b->n * 2);
    size_t n_missing = look_up(b, missing);

    if (n_missing == 0)
        return 0;
    params_init(&params, b->arena);
    params_text_array(&params, missing, n_missing, PG_TEXT);
    db_result_auto *result = db_call_retrying(b->batcher->db, &user_resolve, &params, &b->error);
    if (!result) {
        /* Nothing has been written yet. */
        if (b->error.fault == DB_FAULT_LOST)
            b->error.fault = DB_FAULT_UNSENT;
        return -1;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (b->sends[i]->from_fresh)
            b->senders[i] = learn(b, result, b->sends[i]->from);
        if (b->sends[i]->to_fresh)
            b->receivers[i] = learn(b, result, b->sends[i]->to);
    }
    return 0;
}

/* ---- the call ---- */

enum column {
    COLUMN_ITEM,
    COLUMN_OUTCOME,
    COLUMN_REPLAYED,
    COLUMN_ID_RECEIVER,
    COLUMN_ID_RECEIVER_SEQ,
    COLUMN_ID_SENDER,
    COLUMN_ID_SENDER_SEQ,
    COLUMN_ID_SENT_AT,
    COLUMN_ID_NONCE,
    COLUMN_NICK,
    COLUMN_AVATAR_URL,
    COLUMN_ELEMENTS,
    COLUMN_CUSTOM_DATA,
    COLUMN_SENT_BY,
    COLUMN_STATE,
    COLUMN_EDITED_AT,
};

static const struct statement message_send_batch = {
    .name = "message_send_batch",
    .sql = "select item, outcome, replayed, id_receiver, id_receiver_seq, id_sender, id_sender_seq,"
           " id_sent_at, id_nonce, sender_profile_nick, sender_profile_avatar_url, elements,"
           " custom_data, sent_by, state, edited_at"
           " from duet.message_send_batch(p_sender => $1, p_receiver => $2, p_nonce => $3,"
           " p_client_id => $4, p_elements => $5, p_custom_data => $6, p_push => $7,"
           " p_store_seconds => $8, p_options => $9, p_sent_by => $10, p_caller => $11,"
           " p_idempotency_key => $12, p_request_hash => $13, p_issued_at => $14,"
           " p_device => $15)",
    .types =
        (const Oid[]){
            PG_INT8_ARRAY, PG_INT8_ARRAY, PG_INT8_ARRAY, PG_TEXT_ARRAY, PG_TEXT_ARRAY,
            PG_TEXT_ARRAY, PG_TEXT_ARRAY, PG_INT8_ARRAY, PG_INT8_ARRAY, PG_TEXT_ARRAY,
            PG_TEXT_ARRAY, PG_TEXT_ARRAY, PG_BYTEA_ARRAY, PG_INT8_ARRAY, PG_TEXT_ARRAY},
    .n_types = 15,
};

#define GATHER(b, type, member)                                                                    \
    __extension__({                                                                                \
        type *gathered_ = arena_alloc((b)->arena, sizeof(type) * (b)->n);                          \
        for (size_t i_ = 0; i_ < (b)->n; i_++)                                                     \
            gathered_[i_] = (b)->sends[i_]->member;                                                \
        gathered_;                                                                                 \
    })

static int64_t *make_nonces(const struct batch *b)
{
    int64_t *nonces = arena_alloc(b->arena, sizeof(*nonces) * b->n);
    uint32_t *random = arena_alloc(b->arena, sizeof(*random) * b->n);

    /* Up to 256 bytes cannot fail; more can only be cut short by a signal, and signals are blocked.
     */
    for (size_t done = 0, size = sizeof(*random) * b->n; done < size;) {
        ssize_t n = getrandom((char *)random + done, size - done, 0);
        done += n > 0 ? (size_t)n : 0;
    }
    for (size_t i = 0; i < b->n; i++)
        nonces[i] = random[i];
    return nonces;
}

/* Null as a whole where no user token asks, which is what most batches of a back-end are; and so
 * for tokens of devices. */
static void bind_tokens(const struct batch *b, struct params *params)
{
    bool of_users = false;
    bool of_devices = false;

    for (size_t i = 0; i < b->n; i++) {
        of_users |= b->sends[i]->issued_at_s != SEND_BY_BACK_END;
        of_devices |= text_present(b->sends[i]->device);
    }
    if (of_users)
        params_i64_array(params, GATHER(b, int64_t, issued_at_s), b->n);
    else
        params_null(params);
    if (of_devices)
        params_text_array(params, GATHER(b, struct text, device), b->n, PG_TEXT);
    else
        params_null(params);
}

static void bind(const struct batch *b, struct params *params)
{
    params_init(params, b->arena);
    params_i64_array(params, b->senders, b->n);
    params_i64_array(params, b->receivers, b->n);
    params_i64_array(params, make_nonces(b), b->n);
    params_text_array(params, GATHER(b, struct text, client_id), b->n, PG_TEXT);
    params_text_array(params, GATHER(b, struct text, elements), b->n, PG_TEXT);
    params_text_array(params, GATHER(b, struct text, custom_data), b->n, PG_TEXT);
    params_text_array(params, GATHER(b, struct text, push), b->n, PG_TEXT);
    params_i64_array(params, GATHER(b, int64_t, store_seconds), b->n);
    params_i64_array(params, GATHER(b, int64_t, options), b->n);
    params_text_array(params, GATHER(b, struct text, sent_by), b->n, PG_TEXT);
    params_text_array(params, GATHER(b, struct text, caller), b->n, PG_TEXT);
    params_text_array(params, GATHER(b, struct text, idempotency_key), b->n, PG_TEXT);
    params_text_array(params, GATHER(b, struct text, request_hash), b->n, PG_BYTEA);
    bind_tokens(b, params);
}

static void read_message(const PGresult *result, int row, struct send *send)
{
    send->id = (struct message_id){
        .receiver = row_i64(result, row, COLUMN_ID_RECEIVER),
        .receiver_seq = row_i64(result, row, COLUMN_ID_RECEIVER_SEQ),
        .sender = row_i64(result, row, COLUMN_ID_SENDER),
        .sender_seq = row_i64(result, row, COLUMN_ID_SENDER_SEQ),
        .sent_at = row_time(result, row, COLUMN_ID_SENT_AT),
        .nonce = row_i64(result, row, COLUMN_ID_NONCE),
    };
    send->sender_nick = row_text(result, row, COLUMN_NICK, send->arena);
    send->sender_avatar_url = row_text(result, row, COLUMN_AVATAR_URL, send->arena);
    send->replayed = row_bool(result, row, COLUMN_REPLAYED);
    if (!send->replayed)
        return;
    send->stored_elements = row_text(result, row, COLUMN_ELEMENTS, send->arena);
    send->stored_custom_data = row_text(result, row, COLUMN_CUSTOM_DATA, send->arena);
    send->stored_sent_by = row_text(result, row, COLUMN_SENT_BY, send->arena);
    send->stored_state = row_text(result, row, COLUMN_STATE, send->arena);
    bool edited = !PQgetisnull(result, row, COLUMN_EDITED_AT);
    send->stored_edited_at = edited ? row_time(result, row, COLUMN_EDITED_AT) : FIELD_ABSENT;
}

/* ---- outcomes ---- */

static int refuse_user(struct send *send, const char *pointer)
{
    return err_field(send->err, ERR_USER_UNKNOWN, pointer, "no user has this id");
}

/* 1 when the numbers came from the cache and a user of that number is no more: the message is to be
 * tried once again with numbers that are asked for. */
static int read_outcome(struct batch *b, const PGresult *result, int row, struct send *send)
{
    struct text outcome = row_text(result, row, COLUMN_OUTCOME, b->arena);
    bool sender_unknown = text_equal(outcome, TEXT("sender_unknown"));

    if (text_equal(outcome, TEXT("ok"))) {
        read_message(result, row, send);
        return 0;
    }
    if (sender_unknown || text_equal(outcome, TEXT("receiver_unknown"))) {
        users_forget(b->batcher->users, sender_unknown ? send->from : send->to);
        if (sender_unknown ? !send->from_fresh : !send->to_fresh)
            return 1;
        return refuse_user(send, sender_unknown ? "/from" : "/to");
    }
    return err_outcome(send->err, outcome);
}

/* The numbers of all are known to the database or 0, which no user has: one row for each, in order.
 */
static void finish(struct batch *b, const PGresult *result, int64_t database_us)
{
    struct send **again = arena_alloc(b->arena, sizeof(*again) * b->n);
    int *outcomes = arena_alloc(b->arena, sizeof(*outcomes) * b->n);
    size_t n_again = 0;

    for (size_t i = 0; i < b->n; i++) {
        b->sends[i]->database_us += database_us;
        outcomes[i] = read_outcome(b, result, (int)i, b->sends[i]);
    }
    /* All in one go, so that an HTTP thread is woken for many. */
    for (size_t i = 0; i < b->n; i++) {
        if (outcomes[i] == 1)
            again[n_again++] = b->sends[i];
        else
            b->sends[i]->done(b->sends[i], outcomes[i]);
    }
    if (n_again)
        batch_store(b->batcher, again, n_again);
}

static void fail_all(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        b->sends[i]->done(b->sends[i], db_error_to_err(&b->error, b->sends[i]->err));
}

/* -1 with b->error filled when the call failed as a whole; nothing has been answered then. */
static int store_once(struct batch *b)
{
    struct params params;
    int64_t begun = clock_mono_us();

    if (resolve_users(b) != 0)
        return -1;
    bind(b, &params);
    db_result_auto *result =
        b->rehearsal ? db_call_undone(b->batcher->db, &message_send_batch, &params, &b->error)
                     : db_call_retrying(b->batcher->db, &message_send_batch, &params, &b->error);
    if (!result)
        return -1;
    if (PQntuples(result) != (int)b->n) {
        b->error = (struct db_error){DB_FAULT_LOST, ""};
        return -1;
    }
    int64_t took = clock_mono_us() - begun;
    histogram_add(&b->batcher->metrics->batch_size, &batch_bounds, (int64_t)b->n);
    histogram_add(&b->batcher->metrics->batch_us, &latency_bounds_us, took);
    finish(b, result, took);
    return 0;
}

static const struct statement partition_make = {
    .name = "partition_make",
    .sql = "select duet.partition_make()",
    .types = NULL,
    .n_types = 0,
};

/* A day without a partition takes no messages (23514). Days are made a week ahead, so this is
 * for a database whose scheduled jobs have not run for that long. */
static bool make_missing_partition(struct batch *b)
{
    struct params none;
    struct db_error error;

    if (strcmp(b->error.sqlstate, "23514") != 0)
        return false;
    params_init(&none, b->arena);
    db_result_auto *result = db_call_retrying(b->batcher->db, &partition_make, &none, &error);
    log_event(LOG_ERROR, "partition_was_missing", LOG_STR("made", result ? "yes" : "no"));
    return result != NULL;
}

static void store(struct batcher *batcher, struct send **sends, size_t n);

/* One that would wait for a lock again, and is late already, is not tried again. */
static void store_alone(struct batch *b, struct send *send, bool locked)
{
    if (locked && clock_mono_us() > send->deadline_us)
        send->done(send, db_error_to_err(&b->error, send->err));
    else
        store(b->batcher, &send, 1);
}

static void store(struct batcher *batcher, struct send **sends, size_t n)
{
    struct arena *arena = arena_new();
    struct batch b = {
        .batcher = batcher,
        .arena = arena,
        .sends = sends,
        .n = n,
        .rehearsal = sends[0]->rehearsal,
        .senders = arena_alloc(arena, sizeof(int64_t) * n),
        .receivers = arena_alloc(arena, sizeof(int64_t) * n),
    };

    int result = store_once(&b);
    if (result != 0 && make_missing_partition(&b))
        result = store_once(&b);
    if (result != 0) {
        /* A mailbox that somebody else holds locked is that of one message, not of all. */
        bool locked = strcmp(b.error.sqlstate, "55P03") == 0;
        if (n > 1 && (b.error.fault == DB_FAULT_REFUSED || locked)) {
            atomic_fetch_add(&batcher->metrics->batches_split, 1);
            for (size_t i = 0; i < n; i++)
                store_alone(&b, sends[i], locked);
        } else {
            fail_all(&b);
        }
    }
    arena_free(arena);
}

void batch_store(struct batcher *batcher, struct send **sends, size_t n)
{
    size_t n_real = 0;

    for (size_t i = 0; i < n; i++) {
        struct send *send = sends[i];
        if (send->rehearsal)
            store(batcher, &send, 1);
        else
            sends[n_real++] = send;
    }
    if (n_real)
        store(batcher, sends, n_real);
}

int batch_check(struct db *db, char *why, size_t why_size)
{
    return statement_check(db, &user_resolve, why, why_size) != 0
               ? -1
               : statement_check(db, &message_send_batch, why, why_size);
}
