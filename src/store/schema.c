#include "store/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>
#include <openssl/evp.h>

#include "base/text.h"
#include "store/db.h"

/* One number for all programs that migrate this database. */
#define ADVISORY_LOCK "select pg_advisory_xact_lock(1146439764)"

#define CHECKSUM_TEXT 65

struct migrating {
    PGconn *conn;
    struct buf *report;
    char *why;
    size_t why_size;
};

static void finish_auto(PGconn **conn)
{
    PQfinish(*conn);
}
#define conn_auto __attribute__((cleanup(finish_auto))) PGconn

/* ---- files ---- */

static bool in_folder(const struct sql_file *file, const char *folder)
{
    return strncmp(file->name, folder, strlen(folder)) == 0;
}

/* "migrations/0001_init.sql" is version 1. */
static int version_of(const struct sql_file *file)
{
    int64_t version = 0;
    const char *digits = file->name + strlen("migrations/");

    text_to_i64((struct text){digits, strcspn(digits, "_")}, &version);
    return (int)version;
}

int schema_newest(void)
{
    int newest = 0;

    for (size_t i = 0; i < sql_bundle_size; i++)
        if (in_folder(&sql_bundle[i], "migrations/") && version_of(&sql_bundle[i]) > newest)
            newest = version_of(&sql_bundle[i]);
    return newest;
}

static void checksum_of(const struct sql_file *file, char ret[CHECKSUM_TEXT])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    EVP_Digest(file->text, strlen(file->text), digest, &length, EVP_sha256(), NULL);
    for (unsigned i = 0; i < length && i < 32; i++)
        snprintf(ret + (size_t)i * 2, 3, "%02x", digest[i]);
}

/* ---- running ---- */

static int fail(struct migrating *m, const char *step)
{
    snprintf(m->why, m->why_size, "%s: %s", step, PQerrorMessage(m->conn));
    return -1;
}

static int run_sql(struct migrating *m, const char *step, const char *sql)
{
    db_result_auto *result = PQexec(m->conn, sql);
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : fail(m, step);
}

static int run_file(struct migrating *m, const struct sql_file *file)
{
    if (run_sql(m, file->name, file->text) != 0)
        return -1;
    buf_printf(m->report, "applied %s\n", file->name);
    return 0;
}

static int run_folder(struct migrating *m, const char *folder)
{
    for (size_t i = 0; i < sql_bundle_size; i++)
        if (in_folder(&sql_bundle[i], folder) && run_file(m, &sql_bundle[i]) != 0)
            return -1;
    return 0;
}

static int connect_to(struct migrating *m, const char *url)
{
    m->conn = PQconnectdb(url);
    if (PQstatus(m->conn) != CONNECTION_OK)
        return fail(m, "The database cannot be reached");
    PQclear(PQexec(m->conn, "set client_min_messages = warning"));
    return 0;
}

/* ---- versions ---- */

static int read_bool(struct migrating *m, const char *sql, bool *ret)
{
    db_result_auto *result = PQexec(m->conn, sql);

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        return fail(m, "The schema's version cannot be read");
    *ret = PQgetvalue(result, 0, 0)[0] == 't';
    return 0;
}

/* 1 when the migration is recorded, 0 when it is not, -1 when what is recorded is another file. */
static int is_applied(struct migrating *m, const struct sql_file *file)
{
    char version[16], checksum[CHECKSUM_TEXT];
    const char *const values[] = {version};

    snprintf(version, sizeof(version), "%d", version_of(file));
    db_result_auto *result = PQexecParams(
        m->conn, "select checksum from duet.schema_version where version = $1::integer", 1, NULL,
        values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return fail(m, "The schema's version cannot be read");
    if (PQntuples(result) == 0)
        return 0;
    checksum_of(file, checksum);
    if (strcmp(PQgetvalue(result, 0, 0), checksum) == 0)
        return 1;
    snprintf(
        m->why, m->why_size,
        "The database was migrated with another %s than this program has; a released migration is "
        "never "
        "changed.",
        file->name);
    return -1;
}

static int check_not_newer(struct migrating *m)
{
    db_result_auto *result =
        PQexec(m->conn, "select coalesce(max(version), 0) from duet.schema_version");
    int64_t version = 0;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return fail(m, "The schema's version cannot be read");
    text_to_i64(text_of(PQgetvalue(result, 0, 0)), &version);
    if (version <= schema_newest())
        return 0;
    snprintf(
        m->why, m->why_size,
        "The database's schema is version %lld, newer than the %d of this program; upgrade duetd.",
        (long long)version, schema_newest());
    return -1;
}

static int record(struct migrating *m, const struct sql_file *file)
{
    char version[16], checksum[CHECKSUM_TEXT];
    const char *const values[] = {version, file->name + strlen("migrations/"), checksum};

    snprintf(version, sizeof(version), "%d", version_of(file));
    checksum_of(file, checksum);
    db_result_auto *result = PQexecParams(
        m->conn,
        "insert into duet.schema_version (version, name, checksum, applied_at)"
        " values ($1::integer, $2, $3, now())",
        3, NULL, values, NULL, NULL, 0);
    return PQresultStatus(result) == PGRES_COMMAND_OK ? 0 : fail(m, file->name);
}

/* The number of migrations that are missing; each is handed to `apply`, where there is one. */
static int walk_migrations(
    struct migrating *m, bool has_table, int (*apply)(struct migrating *, const struct sql_file *))
{
    int n_missing = 0;

    for (size_t i = 0; i < sql_bundle_size; i++) {
        const struct sql_file *file = &sql_bundle[i];
        if (!in_folder(file, "migrations/"))
            continue;
        int applied = has_table ? is_applied(m, file) : 0;
        if (applied < 0)
            return -1;
        if (applied)
            continue;
        n_missing++;
        if (!apply)
            buf_printf(m->report, "missing %s\n", file->name);
        else if (apply(m, file) != 0)
            return -1;
        has_table = has_table || apply;
    }
    return n_missing;
}

static int apply_migration(struct migrating *m, const struct sql_file *file)
{
    return run_file(m, file) != 0 ? -1 : record(m, file);
}

static const char has_table_sql[] = "select to_regclass('duet.schema_version') is not null";

static int migrate_in_transaction(struct migrating *m)
{
    bool has_table;

    if (run_sql(m, "begin", "begin") != 0 || run_sql(m, "lock", ADVISORY_LOCK) != 0 ||
        run_sql(m, "set role", "set local role duet_owner") != 0 ||
        read_bool(m, has_table_sql, &has_table) != 0)
        return -1;
    if (has_table && check_not_newer(m) != 0)
        return -1;
    if (walk_migrations(m, has_table, apply_migration) < 0)
        return -1;
    static const char *const folders[] = {"views/", "functions/", "jobs/", "grants.sql"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        if (run_folder(m, folders[i]) != 0)
            return -1;
    return run_sql(m, "commit", "commit");
}

/* pg_cron 1.4 learns of its jobs by the message that PostgreSQL sends when a table has changed. So
 * many of these come from a migration that a backend which is behind is told to forget everything
 * instead, and that pg_cron does not understand. One more message, by itself, does it. The change
 * is one of no row: pg_cron's trigger is of the statement. */
static const char wake_pg_cron_sql[] = "do $$ begin"
                                       "  if to_regclass('cron.job') is not null then"
                                       "    update cron.job set active = active where false;"
                                       "  end if;"
                                       " end $$";

int schema_migrate(const char *url, struct buf *report, char *why, size_t why_size)
{
    conn_auto *conn = NULL;
    struct migrating m = {.report = report, .why = why, .why_size = why_size};

    int result = connect_to(&m, url);
    conn = m.conn;
    /* setup.sql makes what exists once for all databases: two programs must not do it at once. */
    if (result != 0 || run_sql(&m, "begin", "begin") != 0 ||
        run_sql(&m, "lock", ADVISORY_LOCK) != 0 || run_folder(&m, "setup.sql") != 0 ||
        run_sql(&m, "commit", "commit") != 0)
        return -1;
    return migrate_in_transaction(&m) == 0 ? run_sql(&m, "pg_cron", wake_pg_cron_sql) : -1;
}

int schema_check(const char *url, struct buf *report, char *why, size_t why_size)
{
    conn_auto *conn = NULL;
    struct migrating m = {.report = report, .why = why, .why_size = why_size};
    bool has_table;

    int result = connect_to(&m, url);
    conn = m.conn;
    if (result != 0 || read_bool(&m, has_table_sql, &has_table) != 0)
        return -1;
    if (has_table && check_not_newer(&m) != 0)
        return -1;
    int n_missing = walk_migrations(&m, has_table, NULL);
    return n_missing < 0 ? -1 : n_missing > 0;
}
