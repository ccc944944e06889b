"""Ten thousand requests, good and bad, and clients that break off, leave nothing behind: no memory
(the leak sanitizer speaks when the server ends, and `stop` listens) and no open file."""

import contextlib
import http.client
import json
import pathlib
import random
import socket
import threading

from support import text_message

REQUESTS = 10_000
CLIENTS = 8
# What a server may have open besides: connections that it has not yet seen to be closed.
FILES = 8

SEND = "/v1/messages"


def kinds(ann, bob, message_id):
    """(method, path, body) of every kind of request; a body that is bytes goes out as it is."""
    message = text_message(ann, bob, "x" * 200)
    good = [
        ("POST", SEND, message),
        ("POST", SEND, {**message, "client_id": "the same each time"}),
        ("PUT", f"/v1/users/{ann}", {"nick": "Ann", "custom": {"a": "b"}}),
        ("GET", f"/v1/users/{ann}", None),
        ("GET", f"/v1/users/{bob}/messages?limit=5", None),
        ("GET", f"/v1/users/{bob}/events?after=0&limit=5", None),
        ("GET", f"/v1/messages/{message_id}", None),
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
        ("GET", "/metrics", None),
        ("POST", f"{SEND}/batch", {"from": ann, "to": [bob, "nobody"], "text": "hi"}),
        ("PUT", f"/v1/users/{ann}/friends/{bob}", {"remark": "b"}),
        ("PATCH", f"/v1/users/{ann}", {"location": "here"}),
        ("GET", f"/v1/users/{ann}/friends", None),
        ("GET", f"/v1/users/{bob}/conversations", None),
        ("GET", f"/v1/users/{bob}/export", None),
    ]
    bad = [
        ("POST", SEND, {**message, "to": "nobody"}),
        ("POST", SEND, {**message, "to": ann}),
        ("POST", SEND, {**message, "unknown": {"a": [1, 2, 3]}}),
        ("POST", SEND, {"from": 1, "to": [], "elements": [{"type": "none"}, {}, 3]}),
        ("POST", SEND, b'{"from": "' + ann.encode()),
        ("POST", SEND, b"[" * 1000),
        ("POST", SEND, b'{"from": "\xff"}'),
        ("POST", SEND, b" " * (2 << 20)),
        ("PUT", f"/v1/users/{ann}", {"nick": "x" * 1000, "custom": {"a": 1}}),
        ("GET", f"/v1/users/{bob}/messages?cursor=none&limit=x", None),
        ("GET", "/v1/users/nobody/events?after=0", None),
        ("GET", "/v1/messages/none", None),
        ("GET", "/v1/users/%FF", None),
        ("GET", "/no/such/thing", None),
        ("DELETE", "/v1/messages", None),
    ]
    return good, bad


class Client:
    def __init__(self, server, tokens, seed):
        self._server = server
        self._tokens = tokens
        self._rng = random.Random(seed)
        self._connection = None
        self.statuses = set()

    def close(self):
        if self._connection:
            self._connection.close()
        self._connection = None

    def ask(self, method, path, body):
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                self._server.host, self._server.port, timeout=30
            )
        headers = {"Authorization": f"Bearer {self._rng.choice(self._tokens)}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        if self._rng.random() < 0.2:
            headers["Accept-Encoding"] = "gzip"
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            response.read()
            self.statuses.add(response.status)
        except (OSError, http.client.HTTPException):
            self.close()

    def break_off(self, method, path, body):
        """Goes away in the middle of the request, or before the answer."""
        body = json.dumps(body).encode() if body else b""
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: duet.test\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self._tokens[0]}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        end = self._rng.choice([self._rng.randrange(len(request)), len(request)])
        with socket.create_connection((self._server.host, self._server.port), 10) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(request[:end])


def n_files(server):
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))


def test_ten_thousand_requests_leave_nothing_behind(start_server, client_of, user):
    # A client that goes away in the middle may be noticed only when its time is up.
    server = start_server(
        DUET_HEADER_TIMEOUT_SECONDS=2, DUET_BODY_TIMEOUT_SECONDS=2, DUET_USER_RATE=0
    )
    ann, bob = user(), user()
    message_id = client_of(server).post(SEND, text_message(ann, bob)).json["id"]
    good, bad = kinds(ann, bob, message_id)
    # Most are good: else nearly everything would end at the first check.
    tokens = [server.token()] * 20 + [
        server.token(scope="user", sub=ann),
        server.token(exp=1),
        server.token(kid="e1"),
        "no.token.this",
    ]
    before = n_files(server)
    statuses = set()

    def run(number):
        client = Client(server, tokens, number)
        rng = random.Random(number)
        with contextlib.closing(client):
            for count in range(REQUESTS // CLIENTS):
                kind = rng.choice(good if count % 2 else bad)
                if rng.random() < 0.02 and not isinstance(kind[2], bytes):
                    client.break_off(*kind)
                else:
                    client.ask(*kind)
        statuses.update(client.statuses)

    clients = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert statuses >= {200, 201, 400, 401, 403, 404, 405, 413}
    assert not statuses & set(range(500, 600)), statuses
    server.wait_until(lambda: n_files(server) <= before + FILES, what="the end of all connections")
    server.stop()
