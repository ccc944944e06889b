"""While partitions are dropped and all jobs run, sends go on: the longest wait is measured and told."""

import statistics
import threading
import time

import psycopg

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


def send_until(stop, api, pair, waits, errors):
    while not stop.is_set():
        begun = time.monotonic()
        reply = api.post("/v1/messages", {"from": pair[0], "to": pair[1], "text": "hi"})
        waits.append(time.monotonic() - begun)
        if reply.status != 201:
            errors.append(reply)


def test_sends_go_on_while_jobs_run(start_cluster, start_server, client_of, record_property, capsys):
    cluster = start_cluster()
    with psycopg.connect(cluster.url(), autocommit=True) as connection, psycopg.connect(
        cluster.url("duet_owner"), autocommit=True
    ) as owner:
        connection.execute("update cron.job set active = false")
        fill_old_days(connection)
        (n_expired,) = connection.execute("select count(*) from duet.partition_expired(now())").fetchone()
        assert n_expired >= 9
        api = client_of(start_server(DUET_DATABASE_URL=cluster.url("duet_server")))
        pairs = [(f"from-{i}", f"to-{i}") for i in range(4)]
        for name in sum(pairs, ()):
            assert api.put(f"/v1/users/{name}", {}).status == 201
        stop, waits, errors = threading.Event(), [], []
        threads = [
            threading.Thread(target=send_until, args=(stop, api, pair, waits, errors)) for pair in pairs
        ]
        for thread in threads:
            thread.start()
        try:
            time.sleep(1)
            for job, in connection.execute("select name from duet.job order by name").fetchall():
                owner.execute("call duet.job_work(%s)" % f"'{job}'")
            time.sleep(1)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not errors
        assert connection.execute("select count(*) from duet.partition_expired(now())").fetchone() == (0,)
        assert connection.execute(
            "select job, error from duet.job_run where error is not null"
        ).fetchall() == []
        longest = max(waits) * 1000
        record_property("longest_wait_ms", round(longest, 1))
        with capsys.disabled():
            print(
                f"\nlongest wait of {len(waits)} sends: {longest:.1f} ms"
                f" (median {statistics.median(waits) * 1000:.1f} ms)"
            )
