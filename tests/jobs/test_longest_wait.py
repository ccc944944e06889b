"""While partitions are dropped and all jobs run, sends go on: the longest wait is measured and told."""

import statistics
import threading
import time

import psycopg
import pytest

ROWS_A_DAY = 20_000


def fill_old_days(connection):
    """Days that have expired, with rows enough that dropping them is work, and messages to blank."""
    connection.execute(
        "select duet.partition_make(now() - make_interval(days => d)) from generate_series(12, 20, 8) as d"
    )
    connection.execute(
        "insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing,"
        " elements) select 1000000 + i %% 100, i, p.since + interval '1 hour', 1, 0, 0, 1, 15, false,"
        " repeat('x', 200) from duet.partition_of('duet.mailbox') as p, generate_series(1, %s) as i"
        " where p.until < now() - interval '8 days'",
        (ROWS_A_DAY,),
    )
    connection.execute(
        "insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, expires_at, kind, options,"
        " outgoing, elements) select 2000000 + i %% 100, i, now() - interval '1 day', 1, 0, 0,"
        " now() - interval '1 hour', 1, 15, false, repeat('x', 200) from generate_series(1, %s) as i",
        (ROWS_A_DAY,),
    )
    connection.execute(
        "insert into duet.idempotency_key select 'old', i::text, 'message_send', '\\x01',"
        " now() - interval '2 days', 1, i, 2, i, now(), 0 from generate_series(1, %s) as i",
        (ROWS_A_DAY,),
    )


class Senders:
    """Send all the time, and measure how long each message waits for its answer."""

    def __init__(self, api, n=4):
        self.waits, self.refused, self._stop = [], [], threading.Event()
        self._pairs = [(f"from-{i}", f"to-{i}") for i in range(n)]
        for name in sum(self._pairs, ()):
            assert api.put(f"/v1/users/{name}", {}).status == 201
        self._threads = [
            threading.Thread(target=self._send, args=(api, *pair)) for pair in self._pairs
        ]

    def _send(self, api, sender, receiver):
        while not self._stop.is_set():
            begun = time.monotonic()
            reply = api.post("/v1/messages", {"from": sender, "to": receiver, "text": "hi"})
            self.waits.append(time.monotonic() - begun)
            if reply.status != 201:
                self.refused.append(reply)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        time.sleep(1)
        return self

    def __exit__(self, *_):
        time.sleep(1)
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def tell(self, what, capsys):
        longest, median = max(self.waits) * 1000, statistics.median(self.waits) * 1000
        with capsys.disabled():
            print(
                f"\n{what}: longest wait of {len(self.waits)} sends:"
                f" {longest:.1f} ms, median {median:.1f} ms"
            )


@pytest.fixture
def world(start_cluster, start_server, client_of):
    """An Api, a connection as superuser, and one as the jobs have it; old days are full."""
    cluster = start_cluster()
    with psycopg.connect(cluster.url(), autocommit=True) as connection, psycopg.connect(
        cluster.url("duet_owner"), autocommit=True
    ) as owner:
        connection.execute("update cron.job set active = false")
        fill_old_days(connection)
        assert n_expired(connection) >= 9
        api = client_of(start_server(DUET_DATABASE_URL=cluster.url("duet_server")))
        yield api, connection, owner


def n_expired(connection):
    return connection.execute("select count(*) from duet.partition_expired(now())").fetchone()[0]


def test_sends_go_on_while_all_jobs_run(world, capsys):
    api, connection, owner = world
    jobs = connection.execute("select name from duet.job order by name").fetchall()
    with Senders(api) as senders:
        for job, in jobs:
            owner.execute(f"call duet.job_work('{job}')")
    assert not senders.refused
    assert n_expired(connection) == 0
    assert not connection.execute("select from duet.job_run where error is not null").fetchall()
    senders.tell("jobs", capsys)


def test_sends_go_on_while_a_drop_waits_behind_a_long_read(world, capsys):
    api, connection, owner = world
    with Senders(api) as senders:
        with connection.transaction():
            connection.execute("select count(*) from duet.mailbox")
            owner.execute("call duet.job_work('partition_drop')")
    assert not senders.refused
    # It gave up, says why, and comes again.
    (error,) = connection.execute("select error from duet.job_run").fetchone()
    assert error.startswith("55P03: ")
    assert n_expired(connection) >= 9
    owner.execute("call duet.job_work('partition_drop')")
    assert n_expired(connection) == 0
    senders.tell("a drop behind a long read", capsys)
