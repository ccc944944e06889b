#include "store/doctor.h"

#include <string.h>

#include <libpq-fe.h>

#include "store/db.h"
#include "store/schema.h"

enum verdict { OK, WARN, BAD };

/* Each asks for one row: whether all is well, and what was seen. */
static const struct examination {
    const char *subject;
    enum verdict otherwise;
    const char *sql;
} examinations[] = {
    {"server", WARN,
     "select current_setting('server_version_num')::int >= 150020,"
     " 'PostgreSQL ' || current_setting('server_version') || '; 15.20 or later is advised'"},
    {"encoding", BAD,
     "select current_setting('server_encoding') = 'UTF8',"
     " 'database is in ' || current_setting('server_encoding')"},
    {"primary", BAD,
     "select not pg_is_in_recovery(), case when pg_is_in_recovery() then 'this is a standby' else"
     " 'takes writes' end"},
    {"durability", BAD,
     "select current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on',"
     " 'fsync ' || current_setting('fsync') || ', full_page_writes ' ||"
     " current_setting('full_page_writes')"},
    {"pg_partman", BAD,
     "select count(*) = 1, coalesce('version ' || max(extversion), 'not installed') from "
     "pg_extension"
     " where extname = 'pg_partman'"},
    {"pg_cron", WARN,
     "select count(*) = 1, coalesce('version ' || max(extversion), 'not installed: its jobs"
     " are left to duetd') from pg_extension where extname = 'pg_cron'"},
    {"role", BAD,
     "select count(*) = 1, case count(*) when 1 then 'duet_server is there' else 'duet_server is "
     "missing'"
     " end from pg_roles where rolname = 'duet_server'"},
    {"partitions", BAD,
     "select coalesce(bool_and(ok), false), coalesce(string_agg(name || ': ' || detail, '; '), "
     "'none')"
     " from duet.ready_get()"},
    {"watch", WARN,
     "select coalesce(bool_and(ok), false), coalesce(string_agg(name || ': ' || detail, '; '), "
     "'none')"
     " from duet.ready_get(true) where not needed"},
    {"jobs", WARN,
     "select coalesce(r.done_by = 'pg_cron', false), case r.done_by when 'pg_cron' then"
     " 'pg_cron is at work' when 'duetd' then 'duetd is at work, in place of pg_cron'"
     " else 'none has run yet' end || coalesce('; last at ' || to_char(r.started_at at time zone"
     " 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC: ' || r.job, '')"
     " from (values (true)) as one(row) left join lateral (select * from duet.job_run"
     " where done_by <> 'request' order by run_id desc limit 1) as r on true"},
};

static const char *const words[] = {"ok", "warn", "bad"};

static bool note(struct buf *report, enum verdict verdict, const char *subject, const char *seen)
{
    buf_printf(report, "%-4s %-11s %s\n", words[verdict], subject, seen);
    return verdict != BAD;
}

static bool examine(PGconn *conn, const struct examination *e, struct buf *report)
{
    db_result_auto *result = PQexec(conn, e->sql);

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        return note(report, BAD, e->subject, "cannot be looked at; run `duetd migrate` first");
    bool well = PQgetvalue(result, 0, 0)[0] == 't';
    return note(report, well ? OK : e->otherwise, e->subject, PQgetvalue(result, 0, 1));
}

static bool examine_schema(const char *url, struct buf *report)
{
    char why[512] = "";
    buf_auto missing = BUF(65536);

    int result = schema_check(url, &missing, why, sizeof(why));
    if (result < 0)
        return note(report, BAD, "schema", why);
    return result == 0 ? note(report, OK, "schema", "up to date")
                       : note(report, BAD, "schema", "not up to date; run `duetd migrate`");
}

bool doctor_examine(const char *url, struct buf *report)
{
    PGconn *conn = PQconnectdb(url);
    bool well = PQstatus(conn) == CONNECTION_OK;

    if (!well)
        note(report, BAD, "database", PQerrorMessage(conn));
    for (size_t i = 0;
         PQstatus(conn) == CONNECTION_OK && i < sizeof(examinations) / sizeof(examinations[0]); i++)
        if (!examine(conn, &examinations[i], report))
            well = false;
    PQfinish(conn);
    return examine_schema(url, report) && well;
}
