"""Legal holds that are put while jobs take away what they would keep: a hold is seen, or comes afterwards."""

import concurrent.futures
import time

import psycopg
import pytest

from support.cluster import Cluster
from support.database import deadlocks
from support.server import migrate

MAILBOX_DAY = "select parent = 'duet.mailbox' from duet.partition_expired(now()) limit 1"
KEPT = "select count(*) from duet.held_entry where owner = %s"


@pytest.fixture(name="quiet", scope="module")
def fixture_quiet(tmp_path_factory):
    """A cluster whose jobs run only when a test says so."""
    cluster = Cluster(tmp_path_factory.mktemp("holds"))
    cluster.start()
    try:
        migrate(cluster)
        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            connection.execute("update cron.job set active = false")
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture(name="connect")
def fixture_connect(quiet):
    made = []

    def connect():
        made.append(psycopg.connect(quiet.url(), autocommit=True))
        # Longer than whoever puts a hold is to wait for a job.
        made[-1].execute("set lock_timeout = '2s'")
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture(name="look")
def fixture_look(connect):
    """A connection to look with. Nobody has waited for somebody who waits, in the end."""
    connection = connect()
    before = deadlocks(connection)
    yield connection
    assert deadlocks(connection) == before


@pytest.fixture(name="pool")
def fixture_pool():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield pool


def user(connection, name):
    connection.execute(
        "select duet.user_put(%s, null, null, null, null, null, null, null, null, null, null)", (name,)
    )
    return connection.execute("select user_no from duet.app_user where user_id = %s", (name,)).fetchone()[0]


def add_message(connection, owner, age, expires_age=None):
    connection.execute(
        "insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, expires_at, kind, options,"
        " outgoing, elements) values (%s, 1, now() - %s::interval, 1, 0, 0, now() - %s::interval, 1, 15, false, '[]')",
        (owner, age, expires_age),
    )


def old_day(connection, owner):
    """The oldest of all is a day of mailboxes, and an entry of the owner lies there. Its name."""
    connection.execute("select duet.partition_make(now() - interval '4 days')")  # and 8 before
    add_message(connection, owner, "12 days")
    while not connection.execute(MAILBOX_DAY).fetchone()[0]:
        assert perform(connection, "partition_drop") is None
    return connection.execute("select 'duet.' || partition from duet.partition_expired(now()) limit 1").fetchone()[0]


def perform(connection, job):
    """One slice; the error it has ended with."""
    outcome, error = connection.execute(
        "select outcome, error from duet.job_run(%s, false)", (job,)
    ).fetchone()
    assert outcome == "ok"
    return error


def put_hold(connection, name):
    assert connection.execute("select outcome from duet.hold_put(%s, 'x')", (name,)).fetchone() == ("ok",)


def wait_until_halted(look, connection, running):
    """Until it waits for somebody, or for the next try; or has not had to."""
    until = time.monotonic() + 20
    while not running.done():
        assert time.monotonic() < until
        if look.execute(
            "select wait_event_type in ('Lock', 'Timeout') from pg_stat_activity where pid = %s",
            (connection.info.backend_pid,),
        ).fetchone()[0]:
            return
        time.sleep(0.002)


def has_contents(connection, owner):
    """Whether there is something left of the owner's message, in the mailbox or aside."""
    return connection.execute(
        "select exists (select from duet.mailbox where owner = %(owner)s and elements is not null)"
        " or exists (select from duet.held_entry where owner = %(owner)s and elements is not null)",
        {"owner": owner},
    ).fetchone()[0]


def test_a_hold_that_is_put_while_a_drop_waits_is_seen(connect, look, pool):
    owner = user(look, "put-while-waiting")
    day = old_day(look, owner)
    job, reader = connect(), connect()
    with reader.transaction():
        reader.execute(f"lock table {day} in access share mode")
        running = pool.submit(perform, job, "partition_drop")
        wait_until_halted(look, job, running)
        put_hold(look, "put-while-waiting")
    assert running.result() is None
    assert look.execute("select to_regclass(%s)", (day,)).fetchone() == (None,)
    assert look.execute(KEPT, (owner,)).fetchone() == (1,)


def test_a_drop_waits_for_a_hold_that_is_being_put(connect, look, pool):
    owner = user(look, "put-before-drop")
    day = old_day(look, owner)
    job, holder = connect(), connect()
    with holder.transaction():
        put_hold(holder, "put-before-drop")
        running = pool.submit(perform, job, "partition_drop")
        wait_until_halted(look, job, running)
    assert running.result() is None
    assert look.execute("select to_regclass(%s)", (day,)).fetchone() == (None,)
    assert look.execute(KEPT, (owner,)).fetchone() == (1,)


def test_messages_do_not_expire_while_a_hold_is_being_put(connect, look, pool):
    owner = user(look, "put-before-expiry")
    add_message(look, owner, "2 hours", "1 hour")
    job, holder = connect(), connect()
    with holder.transaction():
        put_hold(holder, "put-before-expiry")
        running = pool.submit(perform, job, "message_expire")
        wait_until_halted(look, job, running)
    running.result()
    assert has_contents(look, owner)


def test_a_hold_that_comes_while_messages_expire_is_put_afterwards(connect, look, pool):
    first, owner = user(look, "held-already"), user(look, "put-while-expiring")
    put_hold(look, "held-already")
    for one in (first, owner):
        add_message(look, one, "2 hours", "1 hour")
    job, holder, gate = connect(), connect(), connect()

    def put_and_look():
        put_hold(holder, "put-while-expiring")
        return has_contents(holder, owner)

    with gate.transaction(force_rollback=True):
        # What the job is to keep of the first is being kept by somebody else, whom it waits for.
        gate.execute("insert into duet.held_entry select * from duet.mailbox where owner = %s", (first,))
        expiring = pool.submit(perform, job, "message_expire")
        wait_until_halted(look, job, expiring)
        putting = pool.submit(put_and_look)
        wait_until_halted(look, holder, putting)
    expiring.result()
    there = putting.result()
    assert has_contents(look, first)
    assert has_contents(look, owner) or not there


def test_a_hold_that_is_put_again_while_its_copies_go_keeps_what_is_there(connect, look, pool):
    owner = user(look, "put-again")
    add_message(look, owner, "2 hours")
    look.execute("insert into duet.held_entry select * from duet.mailbox where owner = %s", (owner,))
    job, holder, gate = connect(), connect(), connect()

    def put_and_count():
        put_hold(holder, "put-again")
        return holder.execute(KEPT, (owner,)).fetchone()

    with gate.transaction():
        gate.execute("select from duet.held_entry where owner = %s for update", (owner,))
        purging = pool.submit(perform, job, "held_purge")
        wait_until_halted(look, job, purging)
        putting = pool.submit(put_and_count)
        wait_until_halted(look, holder, putting)
    purging.result()
    assert putting.result() == look.execute(KEPT, (owner,)).fetchone()


def test_a_hold_that_is_ended_and_put_again_while_a_drop_waits_has_all(connect, look, pool):
    owner = user(look, "put-anew")
    day = old_day(look, owner)
    put_hold(look, "put-anew")
    look.execute(f"insert into duet.held_entry select * from {day} where owner = %s", (owner,))
    job, reader = connect(), connect()
    with reader.transaction():
        reader.execute(f"lock table {day} in access share mode")
        running = pool.submit(perform, job, "partition_drop")
        wait_until_halted(look, job, running)
        look.execute("select duet.hold_delete('put-anew')")
        assert perform(look, "held_purge") is None
        put_hold(look, "put-anew")
    assert running.result() is None
    assert look.execute("select to_regclass(%s)", (day,)).fetchone() == (None,)
    assert look.execute(KEPT, (owner,)).fetchone() == (1,)
