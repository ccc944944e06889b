"""Clients that send all the time, keep a journal, and repeat what was not answered."""

import contextlib
import http.client
import itertools
import json
import random
import secrets
import threading
import time

from support import text_message
from support.journal import Journal, examine

REPLY_SECONDS = 40  # beyond any time-out of the server's own: who gets no answer by then hangs
# Somebody whom the server has just turned away does not come back within the same millisecond.
PAUSE_SECONDS = 0.05

_runs = itertools.count(1)


class Link:
    """One kept-alive connection to one of the servers, made anew when it breaks."""

    def __init__(self, servers, rng):
        self._servers = servers
        self._rng = rng
        self._connection = None
        self._token = None

    def close(self):
        if self._connection:
            self._connection.close()
        self._connection = None

    def _open(self):
        server = self._rng.choice(list(self._servers))
        self._token = server.token()
        self._connection = http.client.HTTPConnection(
            server.host, server.port, timeout=REPLY_SECONDS
        )

    def request(self, method, path, body=None, headers=None):
        """(status, headers, document); None when no answer came."""
        if self._connection is None:
            self._open()
        sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, json.dumps(body) if body else None, sent)
            response = self._connection.getresponse()
            data = response.read()
        except TimeoutError as hang:
            raise AssertionError(f"{method} {path} had no answer in {REPLY_SECONDS} s") from hang
        except (OSError, http.client.HTTPException):
            self.close()
            return None
        return response.status, response.headers, json.loads(data) if data else None


class Load:
    """`with Load(server)`: users who write to each other until the end of the block. The servers
    may be changed meanwhile: `load.servers[0] = another`.

    A message that is not answered with 2xx is repeated, under its key, until it is. A test looks at
    the rest: `load.refusals` has every other answer, with its moment."""

    def __init__(self, *servers, n_users=24, n_connections=16, reads=False, seed=None):
        self.servers = list(servers)
        self.seed = seed if seed is not None else secrets.randbits(32)
        self.journal = Journal()
        self.refusals = []
        self.failures = []  # of the clients themselves
        self._run = f"{next(_runs)}-{secrets.token_hex(3)}"
        self.users = [f"load-{self._run}-{i}" for i in range(n_users)]
        self._n_connections = n_connections
        self._reads = reads
        self._stop = threading.Event()
        self._threads = []

    def __enter__(self):
        print(f"the seed of the load is {self.seed}")  # shown by pytest when the test fails
        self.make_users()
        for number in range(self._n_connections):
            thread = threading.Thread(target=self._work, args=(number,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def stop(self):
        """No client sends any more when this returns."""
        self._stop.set()
        for thread in self._threads:
            thread.join(REPLY_SECONDS + 5)
        stuck = [thread for thread in self._threads if thread.is_alive()]
        assert not stuck, f"{len(stuck)} clients hang"
        assert not self.failures, self.failures[0]

    def __exit__(self, *exception):
        self.stop()

    def make_users(self):
        link = Link(self.servers, random.Random(self.seed))
        with contextlib.closing(link):
            for user in self.users:
                answer = link.request("PUT", f"/v1/users/{user}", {"nick": user})
                assert answer and answer[0] in (200, 201), answer

    # -- what a client does

    def _work(self, number):
        rng = random.Random(f"{self.seed}-{number}")
        link = Link(self.servers, rng)
        try:
            for count in itertools.count():
                if self._stop.is_set():
                    break
                sender, receiver = rng.sample(self.users, 2)
                key = f"{self._run}-{number}-{count}"
                self.journal.intend(key, sender, receiver)
                while not self.send(link, key) and not self._stop.wait(PAUSE_SECONDS):
                    pass
                if self._reads and rng.random() < 0.25:
                    self._read(link, receiver)
        except Exception as failure:  # pylint: disable=broad-except; told where the test sees it
            self.failures.append(failure)
        finally:
            link.close()

    def send(self, link, key):
        """True when it was answered with 2xx."""
        entry = self.journal.entries[key]
        body = text_message(entry.sender, entry.receiver, key)
        headers = {}
        # Each message is known again by one of the two; which, depends on the key alone.
        if hash(key) % 2:
            body["client_id"] = key
        else:
            headers["Idempotency-Key"] = key
        answer = link.request("POST", "/v1/messages", body, headers)
        if answer is None:
            self.journal.unknown(key)
            return False
        status, received, document = answer
        if status in (200, 201):  # 200: an earlier try had been stored
            self.journal.acked(key, document["id"], replayed=status == 200)
            return True
        if document.get("outcome") != "not_applied":
            self.journal.unknown(key)
        self.note_refusal(status, received, document)
        return False

    def _read(self, link, user):
        answer = link.request("GET", f"/v1/users/{user}/events?after=0&limit=1")
        if answer is not None and answer[0] != 200:
            self.note_refusal(*answer)

    def note_refusal(self, status, headers, document):
        self.refusals.append((time.monotonic(), status, document))
        if status != 503 or not document["retryable"] or not headers.get("Retry-After"):
            self.failures.append(AssertionError(f"a client was answered {status} {document}"))

    # -- what a test does

    def wait_for_acks(self, more=1, timeout=20):
        """So many from now on: the load is on, or on again."""
        wanted = self.journal.n_acked + more
        end = time.monotonic() + timeout
        while self.journal.n_acked < wanted:
            assert time.monotonic() < end, f"no {more} messages were stored in {timeout} s"
            assert not self.failures, self.failures[0]
            time.sleep(0.02)

    def repeat_unanswered(self, timeout=60):
        """After the block."""
        link = Link(self.servers, random.Random(self.seed))
        end = time.monotonic() + timeout
        with contextlib.closing(link):
            for entry in self.journal.unanswered():
                while not self.send(link, entry.key):
                    assert time.monotonic() < end, f"{entry.key} is not taken in {timeout} s"
                    time.sleep(PAUSE_SECONDS)

    def check(self, connection):
        """As the faults have left it, and again when what was not answered has been repeated."""
        assert_clean(connection, self.journal)
        self.repeat_unanswered()
        assert_clean(connection, self.journal)


def assert_clean(connection, journal):
    """One snapshot: a call that nobody waits for any more may commit while rows are read."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        findings = examine(connection, journal)
    assert not findings, f"{len(findings)} findings, among them:\n" + "\n".join(
        f"{what}: {sentence}" for what, sentence in findings[:20]
    )
