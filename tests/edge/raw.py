"""Bytes to the server and back, with no library in between that would make them well-formed."""

import json
import re
import socket

STATUS_LINE = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)


class Answer:
    """All that came back on one connection. `closed`: the server ended it."""

    def __init__(self, data, closed):
        self.data = data
        self.closed = closed

    @property
    def statuses(self):
        return [int(status) for status in STATUS_LINE.findall(self.data)]

    @property
    def problem(self):
        """The problem document of the first answer; None where the library itself has answered."""
        head, _, body = self.data.partition(b"\r\n\r\n")
        if b"application/problem+json" not in head:
            return None
        return json.JSONDecoder().raw_decode(body.decode())[0]

    def __repr__(self):
        return f"<{self.statuses} closed={self.closed} {self.data[:300]!r}>"


def connect(server, timeout=10, receive_buffer=None):
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.connect((server.host, server.port))
    return connection


def read_to_end(connection):
    """Until the server closes, or says nothing for as long as the socket's time-out."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except TimeoutError:
        return Answer(data, closed=False)
    except ConnectionError:
        pass
    return Answer(data, closed=True)


def send(server, data, timeout=10):
    """Sends as much as the server takes, then reads to the end."""
    with connect(server, timeout) as connection:
        try:
            connection.sendall(data)
        except ConnectionError:
            pass  # refused before all of it was sent: the answer may be there already
        return read_to_end(connection)


def read_replies(connection, count):
    """That many whole replies, each as (status, headers in lower case, body)."""
    stream = connection.makefile("rb")
    replies = []
    for _ in range(count):
        line = stream.readline()
        if not line:
            break
        headers = {}
        while header := stream.readline().strip():
            name, _, value = header.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        replies.append((int(line.split()[1]), headers, body))
    return replies
