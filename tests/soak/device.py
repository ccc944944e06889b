"""A device as an app's author would write it: it follows its user's mailbox by a stream, keeps what it was
told, and loses the network now and then. What must never happen it notes down in `complaints`."""

import collections
import contextlib
import http.client
import json
import random
import socket
import threading
import urllib.parse

PATIENCE_SECONDS = 30  # a stream says something every 15 s


class Lost(Exception):
    """The stream has ended, or could not be begun: try again."""


def events_of(lines):
    """What a stream of server-sent events says: (event, id, data)."""
    event, number, data = "message", None, []
    for line in lines:
        line = line.decode("utf-8").rstrip("\r\n")
        if line == "":
            if data:
                yield event, number, json.loads("\n".join(data))
            event, number, data = "message", None, []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "id":
            number = int(value)
        elif name == "data":
            data.append(value)


class Device(threading.Thread):
    """`entries` is what it was told, by seq; it has, or was told that it cannot have, everything up to `position`.
    What has come behind a gap is kept aside until the stream has said how many entries it left out, and is
    asked for again when the stream ends before that."""

    def __init__(self, world, user, name, seed):
        super().__init__(name=f"{user}/{name}", daemon=True)
        self.world = world
        self.user = user
        self.device = name
        self.random = random.Random(seed)
        self.complaints = []
        self.connects = 0
        self.lately = collections.deque(maxlen=10)
        self.logins = 0
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self._socket = None
        self._forget()

    def _forget(self):
        self.entries = {}
        self.ahead = {}
        self.skipped = set()
        self.position = None

    def complain(self, text):
        self.complaints.append(f"{self.name}, stream {self.connects}: {text}")

    # -- what the test does to it

    def lose_network(self):
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def end(self):
        self.ending.set()
        self.lose_network()

    # -- its life

    def run(self):
        logged_in = False
        while not self.ending.is_set():
            try:
                if not logged_in:
                    self._log_in()
                    logged_in = True
                elif self.random.random() < 0.1:
                    self._log_out()
                    logged_in = False
                    continue
                self._follow()
            except (Lost, OSError, http.client.HTTPException):
                self.ending.wait(self.random.uniform(0, 0.3))
            except Exception as fault:  # pylint: disable=broad-except; told, not swallowed
                self.complain(repr(fault))
                return

    def _call(self, method, path, body=None):
        server = self.random.choice(self.world.servers)
        connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_SECONDS)
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {self.world.token_of(self.user)}"}
            if body is not None:
                headers["Content-Type"] = "application/json"
                body = json.dumps(body)
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            reply.read()
        if reply.status == 503:
            raise Lost
        return reply.status

    @property
    def _path(self):
        return f"/v1/users/{self.user}/devices/{self.device}"

    def _log_in(self):
        status = self._call("PUT", self._path, {"platform": "android"})
        if status not in (200, 201):
            self.complain(f"logging in: {status}")
        self.logins += 1

    def _log_out(self):
        status = self._call("DELETE", self._path)
        if status not in (204, 404):
            self.complain(f"logging out: {status}")
        self._forget()

    def _acknowledge(self):
        status = self._call("PUT", f"{self._path}/position", {"seq": self.position})
        if status not in (200, 204):
            self.complain(f"position {self.position}: {status}")

    def _follow(self):
        server = self.random.choice(self.world.servers)
        connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_SECONDS)
        query = urllib.parse.urlencode({"device": self.device})
        headers = {
            "Authorization": f"Bearer {self.world.token_of(self.user)}",
            "Accept": "text/event-stream",
        }
        if self.position is not None:
            headers["Last-Event-ID"] = str(self.position)
        connection.connect()
        with self._lock:
            self._socket = connection.sock  # the reply takes it over
        try:
            connection.request("GET", f"/v1/users/{self.user}/events?{query}", headers=headers)
            reply = connection.getresponse()
            # 429: streams of servers that were killed count until their lease ends.
            if reply.status in (429, 503):
                raise Lost
            if reply.status != 200:
                self.complain(f"the stream answers {reply.status}: {reply.read(500)}")
                raise Lost
            self.connects += 1
            for event, number, data in events_of(reply):
                self._take(event, number, data)
                if self.ending.is_set():
                    return
                if self.position and self.random.random() < 0.02:
                    self._acknowledge()
            raise Lost
        finally:
            self.ahead = {}
            with self._lock:
                self._socket = None
            connection.close()

    def _take(self, event, number, data):
        self.lately.append((event, number, data if event in ("sync", "closed") else data["kind"]))
        if event == "sync":
            self._settle(data["last_seq"], data["skipped"])
            return
        if event == "closed":
            if not data["retryable"]:
                self.complain(f"the stream was closed: {data}")
            raise Lost
        if number != data["seq"] or event != data["kind"]:
            self.complain(f"an event {event} {number} holds {data}")
        newest = max(self.ahead, default=self.position or 0)
        if number <= newest:
            self.complain(f"entry {number} came after {newest}; before: {list(self.lately)}")
            raise Lost
        elif not self.ahead and number == (self.position or 0) + 1:
            self.entries[number] = data
            self.position = number
        else:
            self.ahead[number] = data

    def _settle(self, upto, n_skipped):
        """Everything up to there has been told, but for so many entries that were left out."""
        missing = set(range((self.position or 0) + 1, upto + 1)) - self.ahead.keys()
        if len(missing) != n_skipped:
            self.complain(f"up to {upto} {n_skipped} were left out, but {sorted(missing)[:20]} are missing")
        self.skipped |= missing
        self.entries.update(self.ahead)
        self.position = max(self.position or 0, upto)
        self.ahead = {}
