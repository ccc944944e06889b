"""Whatever breaks under an event stream, its client ends up with every entry once, in order."""

import contextlib
import http.client
import threading

import psycopg

from support import text_message
from support.client import Api
from support.sse import Stream

# The connection that listens is also the one that reads for streams.
LISTENERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where query ~ 'listen duet_mailbox|stream_(read|renew|close)' and pid <> pg_backend_pid()"
)


class Follower:
    """Follows a mailbox as a client should: comes back with the last id whenever its stream has ended."""

    def __init__(self, apis, user):
        self.apis = apis
        self.user = user
        self.seqs = []
        self._wanted = 0
        self._enough = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._last_id = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _follow(self):
        while not self._stop.is_set():
            for api in self.apis:
                with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                    headers = {"Last-Event-ID": str(self._last_id)}
                    with Stream(api, self.user, headers=headers, timeout=1) as stream:
                        if stream.status == 200:
                            self._read(stream)
            self._stop.wait(0.05)

    def _read(self, stream):
        while not self._stop.is_set():
            event = stream.next()
            if event is None:
                return
            if event.id is not None:
                self._last_id = event.id
            if event.kind == "message":
                self.seqs.append(event.id)
                if len(self.seqs) >= self._wanted:
                    self._enough.set()

    def wait_for(self, n, timeout=60):
        self._enough.clear()
        self._wanted = n
        if len(self.seqs) < n:
            assert self._enough.wait(timeout), f"{len(self.seqs)} of {n} entries came: {self.seqs[-5:]}"
        assert self.seqs == list(range(1, n + 1))


def send(api, ann, bob, numbers):
    """Each until it is stored; the client_id sees to it that it is stored once."""
    for number in numbers:
        body = text_message(ann, bob, str(number), client_id=f"m{number}")
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if api.post("/v1/messages", body).status in (200, 201):
                    break


def make_users(api):
    for name in ("stream-ann", "stream-bob"):
        assert api.put(f"/v1/users/{name}", {}).status in (200, 201)
    return "stream-ann", "stream-bob"


def test_a_listener_that_loses_its_connection_misses_nothing(start_cluster, start_server, contract):
    cluster = start_cluster()
    server = start_server(DUET_DATABASE_URL=cluster.url("duet_server"))
    api = Api(server, contract)
    ann, bob = make_users(api)
    with Follower([api], bob) as follower, psycopg.connect(cluster.url(), autocommit=True) as db:
        for round_ in range(5):
            send(api, ann, bob, range(round_ * 40, round_ * 40 + 20))
            assert db.execute(LISTENERS).fetchall()
            send(api, ann, bob, range(round_ * 40 + 20, round_ * 40 + 40))
            follower.wait_for(round_ * 40 + 40)


def test_a_database_that_is_killed_ends_no_stream(start_cluster, start_server, contract):
    cluster = start_cluster()
    server = start_server(DUET_DATABASE_URL=cluster.url("duet_server"))
    api = Api(server, contract)
    ann, bob = make_users(api)
    with Stream(api, bob, timeout=60) as stream:
        stream.caught_up()
        send(api, ann, bob, range(20))
        cluster.kill()
        cluster.start()
        server.wait_until(lambda: server.probe("/readyz") == 200, 60, "readiness")
        send(api, ann, bob, range(20, 40))
        assert [stream.next().id for _ in range(40)] == list(range(1, 41))
    with psycopg.connect(cluster.url(), autocommit=True) as db:
        server.wait_until(
            lambda: db.execute("select count(*) from duet.stream").fetchone() == (0,), what="no rows"
        )


def test_a_server_that_is_killed_loses_nobody_s_place(start_cluster, start_server, contract):
    cluster = start_cluster()
    url = cluster.url("duet_server")
    first, second = start_server(DUET_DATABASE_URL=url), start_server(DUET_DATABASE_URL=url)
    apis = [Api(first, contract), Api(second, contract)]
    ann, bob = make_users(apis[1])
    with Follower(apis, bob) as follower:
        send(apis[1], ann, bob, range(30))
        follower.wait_for(30)
        first.kill()
        send(apis[1], ann, bob, range(30, 60))
        follower.wait_for(60)
