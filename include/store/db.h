/* One connection to the database, used by one thread at a time.
 *
 * Calls are prepared on first use and never wait without a limit: past its deadline a call is given
 * up and the connection closed. After every loss db_connect makes a new one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/err.h"
#include "base/metrics.h"
#include "store/params.h"

struct db_config {
    const char *url;  /* libpq URL or connection string */
    const char *role; /* taken on at start of the session; NULL or empty: none */
    int64_t statement_timeout_s;
    struct metrics *metrics;
};

/* A call with its parameters' types, prepared once per connection. */
struct statement {
    const char *name;
    const char *sql;
    const Oid *types;
    int n_types;
};

struct db;

struct db *db_new(const struct db_config *borrows);
void db_free(struct db *db);

/* True once connected; otherwise the connection is closed and the log says why, with level `level`.
 */
bool db_connect(struct db *db, int level);
void db_disconnect(struct db *db);
/* False also when the server has gone away since the last call. */
bool db_is_alive(struct db *db);
PGconn *db_handle(struct db *db);
/* Another number for each connection; 0 before the first. */
uint64_t db_session(const struct db *db);

enum db_fault {
    DB_FAULT_NONE,
    DB_FAULT_REFUSED, /* the statement failed and was rolled back */
    DB_FAULT_RETRY,   /* rolled back, and worth trying again at once */
    DB_FAULT_BUSY,    /* rolled back for want of time or room; not worth trying again at once */
    DB_FAULT_LOST,    /* the connection is gone; whether the call was committed is not known */
    DB_FAULT_UNSENT,  /* the connection is gone and the call never left */
};

struct db_error {
    enum db_fault fault;
    char sqlstate[6]; /* empty: none */
};

void db_clear_auto(PGresult **result);
#define db_result_auto __attribute__((cleanup(db_clear_auto))) PGresult

/* Runs one statement as one transaction; results come in binary. NULL with *error filled and logged
 * when it fails. The caller owns the result. */
PGresult *db_call(
    struct db *db,
    const struct statement *statement,
    const struct params *params,
    struct db_error *error);

/* The same as db_call, but tries again what the database asks to be tried again, a few times. */
PGresult *db_call_retrying(
    struct db *db,
    const struct statement *statement,
    const struct params *params,
    struct db_error *error);

/* The same as db_call in a transaction that is rolled back: what it would have done, with nothing
 * done. */
PGresult *db_call_undone(
    struct db *db,
    const struct statement *statement,
    const struct params *params,
    struct db_error *error);

/* For several calls in one transaction, made with db_call: -1 with *error filled. After an error
 * the transaction is to be rolled back. A lost COMMIT may have taken effect. */
int db_begin(struct db *db, struct db_error *error);
/* The same, where all calls see the moment of the first one. */
int db_begin_snapshot(struct db *db, struct db_error *error);
int db_commit(struct db *db, struct db_error *error);
void db_rollback(struct db *db);

/* From now on notices on `channel`, which is an SQL name, come by this connection. -1 with *error
 * filled. */
int db_listen(struct db *db, const char *channel, struct db_error *error);

/* Forgets what was prepared, so that plans are made anew. */
void db_forget_plans(struct db *db);

/* What the client is told of `error`. Returns -1. */
int db_error_to_err(const struct db_error *error, struct err *err);
