"""Days in fast motion: the clock of the database's functions is moved hour by hour, messages are sent, jobs
run. In the end exactly those messages and partitions are there that should be."""

import datetime
import random

import psycopg
import pytest

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
JOBS = ("partition_make", "partition_drop", "message_expire", "contact_trim", "idempotency_purge")
SEND = """
select receiver, receiver_seq, sent_at from (
    select s.outcome, s.id_receiver, s.id_receiver_seq, s.id_sent_at from duet.message_send_batch(
        %(sender)s::bigint[], %(receiver)s::bigint[], %(nonce)s::bigint[], %(client)s::text[],
        %(elements)s::text[], %(none)s::text[], %(none)s::text[], %(store)s::bigint[],
        %(options)s::bigint[], %(by)s::text[], %(by)s::text[], %(key)s::text[], %(hash)s::bytea[],
        %(now)s::timestamptz) as s
) as s(outcome, receiver, receiver_seq, sent_at)
where outcome = 'ok'
"""


@pytest.fixture
def quiet(start_cluster):
    """A cluster whose jobs run only when the test says so."""
    cluster = start_cluster()
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("update cron.job set active = false")
        connection.execute("set timezone = 'UTC'")
        yield connection


def make_users(connection, n):
    names = [f"soak-{i}" for i in range(n)]
    for name in names:
        connection.execute(
            "select duet.user_put(%s, null, null, null, null, null, null, null, null, null, null)",
            (name,),
        )
    rows = connection.execute("select user_no, user_id from duet.app_user").fetchall()
    return {number: name for number, name in rows}


def send(connection, random_, users, now, n=5):
    """Returns what was stored: {(receiver, seq): (sent_at, expires_at or None)}."""
    pairs = [random_.sample(sorted(users), 2) for _ in range(n)]
    store = [random_.choice([604800, 604800, 604800, 1800, 90000]) for _ in range(n)]
    stored = connection.execute(
        SEND,
        {
            "sender": [pair[0] for pair in pairs],
            "receiver": [pair[1] for pair in pairs],
            "nonce": list(range(n)),
            "client": [f"{now.isoformat()}-{i}" for i in range(n)],
            "elements": ['[{"type":"text","text":"tick"}]'] * n,
            "none": [None] * n,
            "store": store,
            "options": [15] * n,
            "by": ["backend"] * n,
            "key": [f"{now.isoformat()}-{i}" for i in range(n)],
            "hash": [b"\x01"] * n,
            "now": now,
        },
    ).fetchall()
    assert len(stored) == n
    return {
        (receiver, seq): (at, at + datetime.timedelta(seconds=s) if s < 604800 else None)
        for (receiver, seq, at), s in zip(stored, store)
    }


def perform(connection, job, now):
    run = None
    while True:
        outcome, run, more, error = connection.execute(
            "select outcome, run, more, error from duet.job_perform(%s, 'pg_cron', %s, p_now => %s)",
            (job, run, now),
        ).fetchone()
        assert (outcome, error) == ("ok", None), f"{job} at {now}"
        if not more:
            return


def visible(connection, users, now):
    found = set()
    for number, name in users.items():
        cursor = None
        while True:
            page = connection.execute(
                "select id_receiver, id_receiver_seq, cursor from duet.message_list("
                "%s, null, null, null, 'oldest', %s, 200, %s)",
                (name, cursor, now),
            ).fetchall()
            found |= {(receiver, seq) for receiver, seq, _ in page if receiver == number}
            if len(page) < 200:
                break
            cursor = page[-1][2]
    return found


def expected(sent, now):
    return {
        key
        for key, (at, expires) in sent.items()
        if at >= now - 7 * DAY and (expires is None or expires > now)
    }


@pytest.mark.parametrize("days", [2, 12])
def test_days_of_sending_leave_exactly_what_should_be_there(quiet, days):
    random_ = random.Random(days)
    users = make_users(quiet, 6)
    (begun,) = quiet.execute("select date_trunc('hour', now())").fetchone()
    sent, rehearsed = {}, 0
    for hour in range(days * 24):
        now = begun + hour * HOUR + datetime.timedelta(minutes=random_.randrange(60))
        sent |= send(quiet, random_, users, now)
        for job in JOBS:
            if random_.random() < 0.9:  # a run may fail to come
                perform(quiet, job, now)
        if hour % 7 == 0:
            now += datetime.timedelta(minutes=random_.randrange(30))
            assert visible(quiet, users, now) == expected(sent, now), f"hour {hour}"
        if hour % 11 == 0:  # the clock is put back
            back = now - datetime.timedelta(minutes=20)
            assert visible(quiet, users, back) >= expected(sent, now)
            perform(quiet, random_.choice(JOBS), back)
            rehearsed += 1
    now = begun + days * DAY
    for job in JOBS:
        perform(quiet, job, now)

    assert visible(quiet, users, now) == expected(sent, now)
    # Partitions: from the day that has just not expired to a week ahead, each once.
    parts = quiet.execute(
        "select since, until from duet.partition_of('duet.mailbox') order by since"
    ).fetchall()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = max(midnight - 8 * DAY, begun.replace(hour=0) - 9 * DAY)
    assert [since for since, _ in parts] == [
        first + day * DAY for day in range((midnight + 7 * DAY - first).days + 1)
    ]
    # In what is kept no number is missing, and no contents are left whose time is over.
    assert quiet.execute(
        "select count(*) from (select owner, count(*) as n, min(seq), max(seq) from duet.mailbox"
        " group by owner having count(*) <> max(seq) - min(seq) + 1) as gaps"
    ).fetchone() == (0,)
    assert quiet.execute(
        "select count(*) from duet.mailbox where elements is not null and expires_at <= %s",
        (now - datetime.timedelta(minutes=1),),
    ).fetchone() == (0,)
    assert quiet.execute(
        "select count(*) from duet.idempotency_key where created_at <= %s", (now - DAY,)
    ).fetchone() == (0,)
    assert quiet.execute(
        "select count(*) from duet.job_run where error is not null or finished_at is null"
    ).fetchone() == (0,)


def test_a_job_that_is_killed_halfway_is_done_by_the_next_run(quiet):
    random_ = random.Random(1)
    users = make_users(quiet, 4)
    (begun,) = quiet.execute("select date_trunc('day', now())").fetchone()
    sent = send(quiet, random_, users, begun, 50)
    later = begun + 12 * DAY
    # Killed after the first slice: the run stays open.
    outcome, more = quiet.execute(
        "select outcome, more from duet.job_perform('partition_drop', 'pg_cron', p_now => %s)",
        (later,),
    ).fetchone()
    assert (outcome, more) == ("ok", True)
    # Killed within a slice: nothing of it stays.
    with quiet.transaction(force_rollback=True):
        quiet.execute("select duet.job_perform('message_expire', 'pg_cron', p_now => %s)", (later,))
    perform(quiet, "partition_drop", later + datetime.timedelta(minutes=2))
    assert quiet.execute(
        "select array_agg(error order by run_id) from duet.job_run where job = 'partition_drop'"
    ).fetchone() == (["broken off", None],)
    assert quiet.execute("select count(*) from duet.mailbox").fetchone() == (0,)
    assert sent
