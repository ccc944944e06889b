#include "store/request.h"

#include "base/buf.h"
#include "base/digest.h"
#include "store/call.h"
#include "store/db.h"
#include "store/rows.h"

#define REPLY_BYTES_MAX (64u << 20)
#define TRIES 3

static const struct statement request_begin = {
    .name = "request_begin",
    .sql = "select outcome, reply from duet.request_begin("
           "p_caller => $1, p_key => $2, p_operation => $3, p_request_hash => $4, "
           "p_user => $5, p_issued_at => $6, p_device => $7)",
    .types = (const Oid[]){PG_TEXT, PG_TEXT, PG_TEXT, PG_BYTEA, PG_TEXT, PG_TIMESTAMPTZ, PG_TEXT},
    .n_types = 7,
};

static const struct statement request_end = {
    .name = "request_end",
    .sql = "select duet.request_end("
           "p_caller => $1, p_key => $2, p_operation => $3, p_request_hash => $4, p_reply => $5)",
    .types = (const Oid[]){PG_TEXT, PG_TEXT, PG_TEXT, PG_BYTEA, PG_TEXT},
    .n_types = 5,
};

/* ---- the key ---- */

static const struct text *key_of(const struct op *op)
{
    const struct field *field = field_named(&op->operation->in, "idempotency_key");

    return field ? (const struct text *)(const void *)((const char *)op->in + field->offset) : NULL;
}

bool request_has_key(const struct op *op)
{
    const struct text *key = key_of(op);

    return key && text_present(*key);
}

static void bind_key(struct params *params, struct op *op)
{
    params_init(params, op->arena);
    params_text(params, caller_of_keys(&op->caller, op->arena));
    params_text(params, *key_of(op));
    params_text(params, text_of(op->operation->name));
    params_text(
        params, digest_of_request(op->resource, op->named_by_key ? NULL : op->body, op->arena));
}

/* ---- the steps: -1 with *error filled when the database failed, else with op->err filled ---- */

static int begin(struct op *op, struct db_error *error)
{
    struct params params;

    if (db_begin(op->db, error) != 0)
        return -1;
    bind_key(&params, op);
    call_bind_caller(op, &params);
    db_result_auto *result = db_call(op->db, &request_begin, &params, error);
    if (!result)
        return -1;
    struct text outcome = row_text(result, 0, 0, op->arena);
    if (!text_equal(outcome, TEXT("ok")))
        return err_outcome(op->err, outcome);
    op->stored_reply = row_text(result, 0, 1, op->arena);
    return 0;
}

static int keep_reply(struct op *op, struct db_error *error)
{
    struct params params;
    buf_auto reply = BUF(REPLY_BYTES_MAX);

    if (op->operation->out.list)
        fields_encode(&op->operation->out, op->out, &reply);
    if (reply.failed) {
        error->fault = DB_FAULT_REFUSED; /* to be rolled back: nobody could be told what was done */
        return -1;
    }
    bind_key(&params, op);
    params_text(&params, reply.len ? buf_as_text(&reply) : TEXT(""));
    db_result_auto *result = db_call(op->db, &request_end, &params, error);
    return result ? 0 : -1;
}

/* Up to the commit. */
static int work(struct op *op, int (*run)(struct op *op), struct db_error *error)
{
    if (begin(op, error) != 0)
        return -1;
    if (text_present(op->stored_reply)) {
        op->found = true;
        op->replayed = true;
        return 0;
    }
    if (op->only_replay)
        return 0;
    op->db_error = error;
    int result = run(op);
    op->db_error = NULL;
    return result == 0 ? keep_reply(op, error) : -1;
}

static int try_once(struct op *op, int (*run)(struct op *op), struct db_error *error)
{
    int result = work(op, run, error);
    bool refused = result != 0 && error->fault == DB_FAULT_NONE;

    if (error->fault == DB_FAULT_LOST)
        error->fault = DB_FAULT_UNSENT; /* nothing was committed */
    if (error->fault != DB_FAULT_NONE) {
        db_rollback(op->db);
        return -1;
    }
    /* A refusal commits too: the audit tells of it. */
    return db_commit(op->db, error) == 0 && !refused ? 0 : -1;
}

static void start_over(struct op *op)
{
    err_init(op->err, op->arena);
    op->stored_reply = TEXT_ABSENT;
    memset(op->out, 0, op->operation->out.size);
}

int request_run_once(struct op *op, int (*run)(struct op *op))
{
    struct db_error error;

    for (int attempt = 1;; attempt++) {
        error = (struct db_error){DB_FAULT_NONE, ""};
        if (try_once(op, run, &error) == 0)
            return 0;
        if (error.fault != DB_FAULT_RETRY || attempt == TRIES)
            break;
        db_forget_plans(op->db); /* they may be what is wrong */
        start_over(op);
    }
    return error.fault == DB_FAULT_NONE ? -1 : db_error_to_err(&error, op->err);
}

int request_check(struct db *db, char *why, size_t why_size)
{
    return statement_check(db, &request_begin, why, why_size) != 0
               ? -1
               : statement_check(db, &request_end, why, why_size);
}
