"""A client of event streams: what GET …/events sends with Accept: text/event-stream."""

import http.client
import json
import socket
import urllib.parse


class Event:
    def __init__(self, fields):
        self.kind = fields.get("event")
        self.id = int(fields["id"]) if "id" in fields else None
        self.data = json.loads(fields["data"]) if "data" in fields else None
        self.retry = fields.get("retry")

    def __repr__(self):
        return f"<{self.id} {self.kind} {self.data}>"


class Stream:
    """An open stream. Reading waits for `timeout` seconds at most, then fails."""

    def __init__(self, api, user, headers=None, timeout=20, receive_buffer=None, **params):
        self._connection = http.client.HTTPConnection(
            api.server.host, api.server.port, timeout=timeout
        )
        self._connection.connect()
        if receive_buffer:
            self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket = self._connection.sock
        query = "?" + urllib.parse.urlencode(params) if params else ""
        self._connection.request(
            "GET",
            f"/v1/users/{urllib.parse.quote(user, safe='')}/events{query}",
            headers={
                "Authorization": f"Bearer {api.token}",
                "Accept": "text/event-stream",
                **(headers or {}),
            },
        )
        self.response = self._connection.getresponse()
        self.status = self.response.status
        self.headers = self.response.headers
        self.last_id = None
        self._lines = self._read_lines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._connection.close()
        self.response.close()

    @property
    def problem(self):
        return json.loads(self.response.read())

    def _read_chunk(self):
        """Empty at the end. (http.client gives the lines of chunks byte by byte.)"""
        file = self.response.fp
        size = int(file.readline() or b"-1", 16)
        data = file.read(size + 2) if size >= 0 else b""
        if len(data) != size + 2:
            raise http.client.IncompleteRead(data)
        return data[:-2]

    def _read_lines(self):
        rest = b""
        while chunk := self._read_chunk():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines

    def next(self):
        """The next event; None when the server has ended the stream, as it should."""
        fields = {}
        for line in self._lines:
            line = line.decode()
            if line.startswith(":"):
                continue
            if not line and fields:
                return self._note(Event(fields))
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
        return None

    def _note(self, event):
        self.last_id = event.id if event.id is not None else self.last_id
        return event

    def until(self, kind, **members):
        """All events up to the first of this kind, and with these members in its data."""
        seen = []
        while event := self.next():
            seen.append(event)
            if event.kind == kind and members.items() <= event.data.items():
                return seen
        raise AssertionError(f"the stream ended before {kind} {members}: {seen}")

    def caught_up(self):
        """Up to the event that says so; gives those before it."""
        return [event for event in self.until("sync")[:-1] if event.kind]

    def rest(self):
        """Up to the end of the stream."""
        return list(iter(self.next, None))
