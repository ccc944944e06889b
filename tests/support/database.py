"""What the database holds, as far as a test wants to know that nothing was written."""

import contextlib


def snapshot(db):
    """Rows of every table of the schema, and what changes without a new row; not those of the audit,
    which tells of refusals too, nor those of jobs and archives, which run on their own."""
    tables = db.execute(
        "select c.oid::regclass::text from pg_class c"
        " where c.relnamespace = 'duet'::regnamespace"
        " and c.relkind in ('r', 'p') and not c.relispartition"
        " and c.relname not in ('audit_entry', 'job', 'job_run', 'archive', 'archive_chunk', 'archive_gate') order by 1"
    ).fetchall()
    counts = {table: db.execute(f"select count(*) from {table}").fetchone()[0] for table, in tables}
    counts["last_seq"] = db.execute("select sum(last_seq) from duet.mailbox_head").fetchone()[0]
    counts["updated_at"] = db.execute("select max(updated_at) from duet.app_user").fetchone()[0]
    return counts


@contextlib.contextmanager
def unchanged(db):
    # What an import has left to a job would come in between.
    while db.execute("select more from duet.job_profile_announce(now(), false)").fetchone()[0]:
        pass
    before = snapshot(db)
    yield
    after = snapshot(db)
    assert after == before


def n_waiting(connection):
    """How many calls wait for a lock. Within a transaction the answer would stay the same."""
    return connection.execute(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    ).fetchone()[0]


def deadlocks(connection):
    connection.execute("select pg_stat_force_next_flush()")
    return connection.execute(
        "select deadlocks from pg_stat_database where datname = current_database()"
    ).fetchone()[0]
