#include "store/db.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#define CONNECT_TIMEOUT_S "3"
/* Beyond the statement's own time-out: the server is then not slow but gone. */
#define ANSWER_GRACE_US (5 * USEC_PER_SEC)
#define STATEMENTS_MAX 128
#define TRIES 3

struct db {
    const struct db_config *config;
    PGconn *conn;
    const struct statement *prepared[STATEMENTS_MAX];
    size_t n_prepared;
    uint64_t session;
};

void db_clear_auto(PGresult **result)
{
    PQclear(*result);
}

struct db *db_new(const struct db_config *borrows)
{
    struct db *db = mem_alloc(sizeof(*db));

    db->config = borrows;
    return db;
}

void db_free(struct db *db)
{
    if (!db)
        return;
    db_disconnect(db);
    free(db);
}

PGconn *db_handle(struct db *db)
{
    return db->conn;
}

uint64_t db_session(const struct db *db)
{
    return db->session;
}

void db_disconnect(struct db *db)
{
    PQfinish(TAKE(db->conn));
    db->n_prepared = 0;
}

static void drop_notice(void *unused, const PGresult *result)
{
    (void)unused;
    (void)result;
}

/* ---- waiting ---- */

static bool wait_for(struct db *db, short events, int64_t deadline_us)
{
    struct pollfd fd = {PQsocket(db->conn), events, 0};

    for (;;) {
        int64_t left_ms = (deadline_us - clock_mono_us()) / 1000;
        int ready = poll(&fd, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

/* libpq tries each host of the URL in turn, for so long each. */
static bool connect_somewhere(struct db *db)
{
    char options[512];
    const struct db_config *c = db->config;
    bool has_role = c->role && c->role[0];

    snprintf(
        options, sizeof(options),
        "%s%s -c statement_timeout=%llds -c lock_timeout=2s -c "
        "idle_in_transaction_session_timeout=10s "
        "-c synchronous_commit=on -c timezone=UTC -c jit=off",
        has_role ? "-c role=" : "", has_role ? c->role : "", (long long)c->statement_timeout_s);

    /* The URL comes first: what stands behind it in the list overrides it. */
    const char *const names[] = {
        "dbname",
        "options",
        "client_encoding",
        "application_name",
        "target_session_attrs",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "connect_timeout",
        NULL};
    const char *const values[] = {c->url, options, "UTF8",  "duetd",           "read-write", "10",
                                  "5",    "2",     "10000", CONNECT_TIMEOUT_S, NULL};
    db->conn = PQconnectdbParams(names, values, 1);
    return db->conn && PQstatus(db->conn) == CONNECTION_OK;
}

bool db_connect(struct db *db, int level)
{
    db_disconnect(db);
    bool connected = connect_somewhere(db) && PQsetnonblocking(db->conn, 1) == 0;
    if (!connected) {
        /* The message of a failed connection names hosts and roles, never a password. */
        struct text why = text_of(db->conn ? PQerrorMessage(db->conn) : "out of memory");
        log_event((enum log_level)level, "database_unreachable", LOG_TEXT("why", text_trim(why)));
        db_disconnect(db);
        return false;
    }
    db->session++;
    PQsetNoticeReceiver(db->conn, drop_notice, NULL);
    atomic_fetch_add(&db->config->metrics->database_connects, 1);
    return true;
}

bool db_is_alive(struct db *db)
{
    struct pollfd fd = {.events = POLLIN};

    if (!db->conn || PQstatus(db->conn) != CONNECTION_OK)
        return false;
    fd.fd = PQsocket(db->conn);
    if (poll(&fd, 1, 0) == 0)
        return true;
    /* Something came unasked: a notice, or the end. */
    return PQconsumeInput(db->conn) == 1 && PQstatus(db->conn) == CONNECTION_OK;
}

/* ---- errors ---- */

static enum db_fault fault_of(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        enum db_fault fault;
    } faults[] = {
        {"40001", DB_FAULT_RETRY}, /* serialization_failure */
        {"40P01", DB_FAULT_RETRY}, /* deadlock_detected */
        {"0A000", DB_FAULT_RETRY}, /* cached plan must not change result type */
        {"26000", DB_FAULT_RETRY}, /* prepared statement does not exist */
        {"55P03", DB_FAULT_BUSY},  /* lock_not_available */
        {"57014", DB_FAULT_BUSY},  /* query_canceled: its time is up */
        {"53", DB_FAULT_BUSY},     /* insufficient resources */
        {"58030", DB_FAULT_BUSY},  /* io_error */
        {"08", DB_FAULT_LOST},     /* connection exception */
        {"57P", DB_FAULT_LOST},    /* shutdown, crash, not yet started */
        {"25006", DB_FAULT_LOST},  /* read-only: the primary is elsewhere now */
        {"40003", DB_FAULT_LOST},  /* statement_completion_unknown */
    };

    /* Without an SQLSTATE the message is libpq's own: the connection is gone, whatever PQstatus
     * says. */
    if (!sqlstate)
        return DB_FAULT_LOST;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        if (strncmp(sqlstate, faults[i].prefix, strlen(faults[i].prefix)) == 0)
            return faults[i].fault;
    return DB_FAULT_REFUSED;
}

static void report(struct db *db, const struct statement *statement, const struct db_error *error)
{
    static const char *const names[] = {"none", "refused", "retry", "busy", "lost", "unsent"};

    atomic_fetch_add(&db->config->metrics->database_errors, 1);
    log_event(
        error->fault == DB_FAULT_RETRY ? LOG_INFO : LOG_WARN, "database_error",
        LOG_STR("call", statement->name), LOG_STR("fault", names[error->fault]),
        LOG_STR("sqlstate", error->sqlstate));
}

static void set_error(struct db_error *error, enum db_fault fault, const char *sqlstate)
{
    error->fault = fault;
    snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", sqlstate ? sqlstate : "");
}

/* The server's text goes to the log on level debug only: it quotes values. */
static void set_error_of(struct db_error *error, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    set_error(error, fault_of(sqlstate), sqlstate);
    log_event(
        LOG_DEBUG, "database_message",
        LOG_STR("message", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)),
        LOG_STR("context", PQresultErrorField(result, PG_DIAG_CONTEXT)));
}

int db_error_to_err(const struct db_error *error, struct err *err)
{
    bool full = strcmp(error->sqlstate, "53100") == 0 || strcmp(error->sqlstate, "58030") == 0;
    bool timed_out = strcmp(error->sqlstate, "57014") == 0 || strcmp(error->sqlstate, "55P03") == 0;

    switch (error->fault) {
    case DB_FAULT_BUSY:
        return full        ? err_set(err, ERR_STORAGE_FULL, "nothing was written")
               : timed_out ? err_set(err, ERR_DATABASE_TIMEOUT, "the call was ended there")
                           : err_set(err, ERR_OVERLOADED, "the database is out of resources");
    case DB_FAULT_LOST:
        err->outcome = ERR_OUTCOME_UNKNOWN;
        return err_set(err, ERR_DATABASE_UNAVAILABLE, "the connection was lost during the call");
    case DB_FAULT_UNSENT:
        return err_set(err, ERR_DATABASE_UNAVAILABLE, "there is no connection");
    case DB_FAULT_RETRY:
        return err_set(err, ERR_OVERLOADED, "the call met others too often");
    case DB_FAULT_NONE:
    case DB_FAULT_REFUSED:
        break;
    }
    return err_set(err, ERR_INTERNAL, "the database refused the call");
}

/* ---- calls ---- */

static bool flush(struct db *db, int64_t deadline_us)
{
    int left;

    while ((left = PQflush(db->conn)) > 0) {
        if (!wait_for(db, POLLIN | POLLOUT, deadline_us) || !PQconsumeInput(db->conn))
            return false;
    }
    return left == 0;
}

/* The one result of what was sent, or NULL when the connection was lost on the way. */
static PGresult *take_result(struct db *db, int64_t deadline_us)
{
    PGresult *first = NULL;

    if (!flush(db, deadline_us))
        return NULL;
    for (;;) {
        while (PQisBusy(db->conn)) {
            if (!wait_for(db, POLLIN, deadline_us) || !PQconsumeInput(db->conn)) {
                PQclear(first);
                return NULL;
            }
        }
        PGresult *result = PQgetResult(db->conn);
        if (!result)
            return first;
        ExecStatusType status = PQresultStatus(result);
        bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
        if (first && good) {
            PQclear(result);
        } else {
            PQclear(first); /* an error behind the rows is that of the commit */
            first = result;
        }
    }
}

void db_forget_plans(struct db *db)
{
    if (!db->conn || db->n_prepared == 0)
        return;
    db->n_prepared = 0;
    db_result_auto *result = NULL;
    if (PQsendQuery(db->conn, "deallocate all"))
        result = take_result(db, clock_mono_us() + ANSWER_GRACE_US);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        db_disconnect(db);
}

/* NULL with *error filled unless the result is that of a statement that succeeded. */
static PGresult *checked(struct db *db, PGresult *result, struct db_error *error)
{
    ExecStatusType status = PQresultStatus(result);

    if (result && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK))
        return result;
    if (result)
        set_error_of(error, result);
    else
        set_error(error, DB_FAULT_LOST, NULL);
    PQclear(result);
    if (error->fault == DB_FAULT_LOST)
        db_disconnect(db);
    return NULL;
}

static bool is_prepared(const struct db *db, const struct statement *statement)
{
    for (size_t i = 0; i < db->n_prepared; i++)
        if (db->prepared[i] == statement)
            return true;
    return false;
}

static bool prepare(
    struct db *db, const struct statement *s, int64_t deadline_us, struct db_error *error)
{
    if (is_prepared(db, s))
        return true;
    if (!PQsendPrepare(db->conn, s->name, s->sql, s->n_types, s->types)) {
        set_error(error, DB_FAULT_UNSENT, NULL);
        db_disconnect(db);
        return false;
    }
    db_result_auto *result = checked(db, take_result(db, deadline_us), error);
    if (!result) {
        if (error->fault == DB_FAULT_LOST)
            error->fault = DB_FAULT_UNSENT; /* preparing changes nothing */
        return false;
    }
    if (db->n_prepared < STATEMENTS_MAX)
        db->prepared[db->n_prepared++] = s;
    return true;
}

static PGresult *call_once(
    struct db *db,
    const struct statement *statement,
    const struct params *params,
    struct db_error *error)
{
    int64_t deadline =
        clock_mono_us() + db->config->statement_timeout_s * USEC_PER_SEC + ANSWER_GRACE_US;

    if (!db->conn) {
        set_error(error, DB_FAULT_UNSENT, NULL);
        return NULL;
    }
    if (!prepare(db, statement, deadline, error))
        return NULL;
    if (!PQsendQueryPrepared(
            db->conn, statement->name, params->n, params->values, params->lengths, params->formats,
            1)) {
        set_error(error, DB_FAULT_LOST, NULL);
        db_disconnect(db);
        return NULL;
    }
    return checked(db, take_result(db, deadline), error);
}

PGresult *db_call(
    struct db *db,
    const struct statement *statement,
    const struct params *params,
    struct db_error *error)
{
    *error = (struct db_error){DB_FAULT_NONE, ""};
    PGresult *result = call_once(db, statement, params, error);
    if (!result)
        report(db, statement, error);
    return result;
}

static void pause_a_moment(int attempt)
{
    unsigned seed = (unsigned)clock_mono_us();
    const struct timespec pause = {
        .tv_nsec = (long)(rand_r(&seed) % 20 + 1) * attempt * 1000 * 1000};

    nanosleep(&pause, NULL);
}

PGresult *db_call_retrying(
    struct db *db,
    const struct statement *statement,
    const struct params *params,
    struct db_error *error)
{
    PGresult *result = db_call(db, statement, params, error);

    for (int attempt = 1; !result && error->fault == DB_FAULT_RETRY && attempt < TRIES; attempt++) {
        pause_a_moment(attempt);
        db_forget_plans(db); /* they may be what is wrong: 0A000, 26000 */
        result = db_call(db, statement, params, error);
    }
    return result;
}

/* ---- transactions of several calls ---- */

static int command(struct db *db, const char *sql, struct db_error *error)
{
    int64_t deadline =
        clock_mono_us() + db->config->statement_timeout_s * USEC_PER_SEC + ANSWER_GRACE_US;

    *error = (struct db_error){DB_FAULT_NONE, ""};
    if (!db->conn || !PQsendQuery(db->conn, sql)) {
        set_error(error, DB_FAULT_UNSENT, NULL);
        db_disconnect(db);
        return -1;
    }
    db_result_auto *result = checked(db, take_result(db, deadline), error);
    return result ? 0 : -1;
}

int db_begin(struct db *db, struct db_error *error)
{
    return command(db, "begin", error);
}

int db_begin_snapshot(struct db *db, struct db_error *error)
{
    return command(db, "begin isolation level repeatable read", error);
}

int db_commit(struct db *db, struct db_error *error)
{
    return command(db, "commit", error);
}

void db_rollback(struct db *db)
{
    struct db_error error;

    /* A connection whose transaction cannot be ended is none to go on with. */
    if (db->conn && command(db, "rollback", &error) != 0)
        db_disconnect(db);
}

PGresult *db_call_undone(
    struct db *db,
    const struct statement *statement,
    const struct params *params,
    struct db_error *error)
{
    if (db_begin(db, error) != 0) {
        report(db, statement, error);
        return NULL;
    }
    PGresult *result = db_call(db, statement, params, error);
    db_rollback(db);
    if (!result && error->fault == DB_FAULT_LOST)
        error->fault = DB_FAULT_UNSENT; /* it would have been undone anyway */
    if (!result && error->fault == DB_FAULT_RETRY)
        db_forget_plans(db); /* they may be what is wrong; the client asks again */
    return result;
}

int db_listen(struct db *db, const char *channel, struct db_error *error)
{
    char sql[96];

    snprintf(sql, sizeof(sql), "listen %s", channel);
    return command(db, sql, error);
}
