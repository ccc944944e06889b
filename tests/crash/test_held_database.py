"""Somebody holds a lock that every request needs. Requests wait, and occupy no thread of HTTP."""

import dataclasses
import http.client
import itertools
import json
import resource
import selectors
import socket
import time

import pytest

from faults import held_up
from support import text_message
from support.journal import Journal
from support.load import assert_clean

HELD_UP_SECONDS = 3  # longer than a call waits for a lock
# Not how fast it is, which a busy machine decides, but whether somebody waits for the database.
AT_ONCE_SECONDS = 1
ALL_ANSWERED_SECONDS = 60


@pytest.fixture(name="many_files", autouse=True)
def fixture_many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@dataclasses.dataclass
class Answer:
    status: int
    headers: object
    document: dict
    seconds: float  # since the request


class Crowd:
    """Clients with a connection each, of which each asks for one thing and waits for its answer."""

    def __init__(self, server, users):
        self.journal = Journal()
        self._server = server
        self._users = users
        self._token = server.token()
        self._waiting = selectors.DefaultSelector()
        self._answered = []
        self._numbers = itertools.count()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for key in list(self._waiting.get_map().values()):
            key.fileobj.close()
        for connection in self._answered:
            connection.close()
        self._waiting.close()

    def _ask(self, method, path, body=b"", key=None):
        connection = socket.create_connection((self._server.host, self._server.port), timeout=10)
        head = f"{method} {path} HTTP/1.1\r\nHost: duet.test\r\n"
        head += f"Authorization: Bearer {self._token}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(head.encode() + b"\r\n" + body)
        self._waiting.register(connection, selectors.EVENT_READ, (key, time.monotonic()))

    def send(self, count):
        for number in itertools.islice(self._numbers, count):
            sender = self._users[number % len(self._users)]
            receiver = self._users[(number + 1) % len(self._users)]
            key = f"{sender}-{number}"
            self.journal.intend(key, sender, receiver)
            body = text_message(sender, receiver, key, client_id=key)
            self._ask("POST", "/v1/messages", json.dumps(body).encode(), key)

    def read(self, count):
        for number in range(count):
            user = self._users[number % len(self._users)]
            self._ask("GET", f"/v1/users/{user}/events?after=0")

    @property
    def n_waiting(self):
        return len(self._waiting.get_map())

    def answers(self, seconds):
        """Those that come within this time, or until all have theirs."""
        end = time.monotonic() + seconds
        while self.n_waiting and time.monotonic() < end:
            for ready, _ in self._waiting.select(max(0, end - time.monotonic())):
                yield self._take(ready)

    def _take(self, ready):
        connection, (key, begun) = ready.fileobj, ready.data
        self._waiting.unregister(connection)
        self._answered.append(connection)
        answer = read_answer(connection, time.monotonic() - begun)
        if key and answer.status == 201:
            self.journal.acked(key, answer.document["id"])
        elif key and answer.document["outcome"] != "not_applied":
            self.journal.unknown(key)
        return answer

    def assert_one_answer_each(self):
        """On a connection that was kept, the next answer is that to the next request."""
        for connection in self._answered:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: duet.test\r\n\r\n")
            assert read_answer(connection).document == {"status": "ok"}


def read_answer(connection, seconds=None):
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Answer(response.status, response.headers, json.loads(response.read()), seconds)


def assert_refused(answers, *codes):
    for answer in answers:
        assert (answer.status, answer.document["code"] in codes) == (503, True), answer
        assert answer.document["retryable"] is True
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.document.get("outcome", "not_applied") == "not_applied"


@pytest.fixture(name="users")
def fixture_users(user):
    return [user() for _ in range(20)]


def test_a_thousand_that_wait_do_not_keep_the_server_from_answering(
    cluster, start_server, users, db
):
    server = start_server()
    with Crowd(server, users) as crowd:
        with held_up(cluster):
            begun = time.monotonic()
            crowd.send(600)
            crowd.read(400)
            health = []
            while len(health) < 50 or time.monotonic() - begun < HELD_UP_SECONDS:
                asked = time.monotonic()
                assert server.probe("/healthz") == 200
                health.append(time.monotonic() - asked)
                time.sleep(0.02)
            assert crowd.n_waiting == 1000  # nobody has been read from yet
            early = list(crowd.answers(0))
        answers = early + list(crowd.answers(ALL_ANSWERED_SECONDS))
        assert crowd.n_waiting == 0
        assert_refused(
            [answer for answer in answers if answer.status not in (200, 201)],
            "database_timeout",
            "overloaded",
        )
        assert {answer.status for answer in answers} >= {200, 201}
        crowd.assert_one_answer_each()
    print(f"healthz: {len(health)} answers, the slowest after {max(health) * 1000:.1f} ms")
    assert max(health) < AT_ONCE_SECONDS
    assert_clean(db, crowd.journal)


def test_what_finds_the_queue_full_is_refused_at_once(cluster, start_server, users, db):
    server = start_server(DUET_SEND_QUEUE=32, DUET_READ_QUEUE=32, DUET_SEND_BATCH=16)
    with Crowd(server, users) as crowd:
        with held_up(cluster):
            crowd.send(200)
            crowd.read(200)
            refused = list(crowd.answers(AT_ONCE_SECONDS))
            assert len(refused) > 400 - 2 * 32 - 2 * 16 - 2 * 4
            assert_refused(refused, "overloaded")
        later = list(crowd.answers(ALL_ANSWERED_SECONDS))
        assert crowd.n_waiting == 0
        assert {answer.status for answer in later} >= {200, 201}
        crowd.assert_one_answer_each()
    assert crowd.journal.n_acked > 0
    assert_clean(db, crowd.journal)


def test_what_has_waited_too_long_is_refused_and_not_begun(cluster, start_server, users, db):
    server = start_server(DUET_REQUEST_TIMEOUT_SECONDS=1, DUET_SEND_BATCH=16)
    with Crowd(server, users) as crowd:
        with held_up(cluster):
            crowd.send(200)
            crowd.read(100)
            answers = list(crowd.answers(ALL_ANSWERED_SECONDS))
            assert len(answers) == 300
        assert_refused(answers, "database_timeout", "overloaded")
        assert [answer.document["code"] for answer in answers].count("overloaded") > 150
        crowd.assert_one_answer_each()
        crowd.send(1)
        assert [answer.status for answer in crowd.answers(10)] == [201]
    assert_clean(db, crowd.journal)
